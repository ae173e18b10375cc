// Rows of a few numbers, such as logits of classes, channels or experts: kLanes neighbouring lanes share a row, and lane l has
// columns l, l + kLanes, ... of it, so that a warp reads consecutive memory however short the rows are. Up to four numbers a lane
// are kept in registers (128 columns); longer rows (kWide) are read again, from the caches, at every pass.
#pragma once
#include "device.cuh"
#include "reduce.cuh"

namespace uam::cuda {

inline constexpr int kRowThreads = 256;  // of a block whose threads are row groups
inline constexpr int kRowPasses = 4;     // rows that a group takes, one after another
inline constexpr int kRowNumbers = 4;    // a lane keeps
inline constexpr int kSlab = 128;        // columns that 32 lanes keep

template <int lanes, bool wide> struct RowShape {
  static constexpr int kLanes = lanes;
  static constexpr bool kWide = wide;
};

// body(RowShape) with as few lanes as keep `columns` numbers.
template <class Body> void with_row_shape(int64_t columns, Body&& body) {
  if (columns <= 4) body(RowShape<1, false>());
  else if (columns <= 8) body(RowShape<2, false>());
  else if (columns <= 16) body(RowShape<4, false>());
  else if (columns <= 32) body(RowShape<8, false>());
  else if (columns <= 64) body(RowShape<16, false>());
  else if (columns <= kSlab) body(RowShape<32, false>());
  else body(RowShape<32, true>());
}

template <int kLanes> UAM_HD constexpr int64_t rows_per_pass() { return kRowThreads / kLanes; }
template <int kLanes> UAM_HD constexpr int64_t rows_per_block() { return kRowPasses * rows_per_pass<kLanes>(); }

// Over the lanes of a row; every one of them gets the result. All lanes of the warp come here together.
template <int kLanes, class T, class Op> __device__ __forceinline__ T row_reduce(T value, Op op) {
#pragma unroll
  for (int bits = kLanes / 2; bits > 0; bits >>= 1) value = op(value, __shfl_xor_sync(kWholeWarp, value, bits));
  return value;
}
template <int kLanes, class T> __device__ __forceinline__ T row_sum(T value) { return row_reduce<kLanes>(value, Plus()); }

template <int kLanes, bool kWide> struct Row {
  const float* from;
  int64_t columns;
  int lane;
  float kept[kWide ? 1 : kRowNumbers];

  // A row that is not `present` has no columns, but its lanes take part in exchanges.
  __device__ Row(const float* from, int64_t columns, bool present)
      : from(from), columns(present ? columns : 0), lane(int(threadIdx.x % kLanes)) {
    if constexpr (!kWide) {
#pragma unroll
      for (int i = 0; i < kRowNumbers; ++i) kept[i] = lane + i * kLanes < this->columns ? from[lane + i * kLanes] : 0.f;
    }
  }

  // f(column, number) for the columns of this lane
  template <class F> __device__ __forceinline__ void each(F&& f) const {
    if constexpr (kWide) {
      for (int64_t c = lane; c < columns; c += kLanes) f(c, from[c]);
    } else {
#pragma unroll
      for (int i = 0; i < kRowNumbers; ++i)
        if (lane + i * kLanes < columns) f(int64_t(lane + i * kLanes), kept[i]);
    }
  }

  __device__ __forceinline__ float max() const {
    float highest = -INFINITY;
    each([&](int64_t, float x) { highest = Greater()(highest, x); });
    return row_reduce<kLanes>(highest, Greater());
  }
  __device__ __forceinline__ float sum_of_exponentials(float highest) const {
    float total = 0.f;
    each([&](int64_t, float x) { total += expf(x - highest); });
    return row_sum<kLanes>(total);
  }
};

// What is needed of a row that is too wide for registers to know its softmax anywhere: exp(x - highest) * scale.
struct SoftmaxOfRow {
  float highest, scale;
};

// Sums over the row groups of a block: lane l of each has `mine[i][s]`, sum s of column l + i * kLanes, and out[column * kSums + s]
// becomes the total, added in the order of groups. Called once in a kernel, by all of its kRowThreads threads.
template <int kLanes, int kSums> __device__ void add_row_groups(const float (&mine)[kRowNumbers][kSums], int columns, double* out) {
  constexpr int kWarps = kRowThreads / 32, kNumbers = kLanes * kRowNumbers * kSums;
  UAM_SHARED(double, of_warp, [kWarps][kNumbers]);
  const int lane = int(threadIdx.x % 32), warp = int(threadIdx.x / 32);
#pragma unroll
  for (int i = 0; i < kRowNumbers; ++i) {
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
      double total = mine[i][s];
#pragma unroll
      for (int bits = 16; bits >= kLanes; bits >>= 1) total += __shfl_xor_sync(kWholeWarp, total, bits);
      if (lane < kLanes) of_warp[warp][(lane + i * kLanes) * kSums + s] = total;
    }
  }
  __syncthreads();
  for (int at = int(threadIdx.x); at < columns * kSums; at += kRowThreads) {
    double total = 0;
    for (int w = 0; w < kWarps; ++w) total += of_warp[w][at];
    out[at] = total;
  }
}

}  // namespace uam::cuda
