// Arrays walked by shape and strides: what broadcasting and permuting kernels share. Shapes and strides come from
// JavaScript, so they are copied and every reachable element is checked against its array before a loop starts.
#pragma once
#include <algorithm>
#include <string>

#include "params.h"

namespace uam {

inline constexpr int kMaxRank = 8;

// `operands` arrays walked together over one shape.
template <int operands> struct Walk {
  int rank = 0;
  int64_t n = 1;
  int64_t shape[kMaxRank] = {};
  int64_t strides[operands][kMaxRank] = {};

  explicit Walk(const In<int32_t>& shape_in) {
    if (shape_in.size > kMaxRank)
      throw KernelError("UAM_SHAPE", "at most 8 axes are supported after merging, received " + std::to_string(shape_in.size));
    rank = int(shape_in.size);
    for (int axis = 0; axis < rank; ++axis) {
      shape[axis] = shape_in.data[axis];
      if (shape[axis] < 0 || __builtin_mul_overflow(n, shape[axis], &n))
        throw KernelError("UAM_SHAPE", "shape must hold integers >= 0 whose product fits");
    }
  }

  // Sets the strides of one operand and checks that, from `offset`, every element lies within [0, size).
  void bind(int operand, const In<int32_t>& strides_in, int64_t offset, int64_t size) {
    int64_t lowest = offset, highest = offset;
    for (int axis = 0; axis < rank; ++axis) {
      const int64_t stride = strides[operand][axis] = strides_in.data[axis];
      (stride < 0 ? lowest : highest) += stride * std::max<int64_t>(shape[axis] - 1, 0);
    }
    if (n > 0 && (lowest < 0 || highest >= size))
      throw KernelError("UAM_SHAPE", "strides reach elements " + std::to_string(lowest) + " to " + std::to_string(highest) +
                                         " of an array of " + std::to_string(size));
  }

  int64_t inner() const { return rank ? shape[rank - 1] : 1; }
  int64_t inner_stride(int operand) const { return rank ? strides[operand][rank - 1] : 0; }

  // Calls run(flat, count, offsets) for every run along the last axis within flat elements [begin, end).
  template <class F> void rows(int64_t begin, int64_t end, F&& run) const {
    const int64_t width = inner();
    for (int64_t flat = begin; flat < end;) {
      int64_t row = flat / width;
      const int64_t column = flat % width, count = std::min(width - column, end - flat);
      int64_t offsets[operands];
      for (int k = 0; k < operands; ++k) offsets[k] = column * inner_stride(k);
      for (int axis = rank - 2; axis >= 0; --axis) {
        const int64_t index = row % shape[axis];
        row /= shape[axis];
        for (int k = 0; k < operands; ++k) offsets[k] += index * strides[k][axis];
      }
      run(flat, count, offsets);
      flat += count;
    }
  }
};

}  // namespace uam
