// Arrays walked by shape and strides on the card: what broadcasting and permuting kernels share. Shapes and strides are small
// tables of the host; strided.h checks them there.
#pragma once
#include "quads.cuh"
#include "strided.h"

namespace uam::cuda {

// n / d without a division where numerators stay below 2^31 (Granlund and Montgomery 1994).
class Divisor {
 public:
  Divisor() = default;
  Divisor(int64_t divisor, int64_t largest) : divisor_(divisor), wide_(largest >= int64_t(1) << 31 || divisor >= int64_t(1) << 31) {
    while (!wide_ && int64_t(1) << shift_ < divisor) ++shift_;
    if (!wide_) factor_ = uint32_t((((uint64_t(1) << shift_) - uint64_t(divisor)) << 32) / uint64_t(divisor) + 1);
  }
  __device__ __forceinline__ int64_t quotient(int64_t n) const {
    return wide_ ? n / divisor_ : int64_t((__umulhi(uint32_t(n), factor_) + uint32_t(n)) >> shift_);
  }
  __device__ __forceinline__ int64_t divisor() const { return divisor_; }

 private:
  int64_t divisor_ = 1;
  uint32_t factor_ = 1, shift_ = 0;
  bool wide_ = false;
};

inline const In<int32_t>& table_of_host(const In<int32_t>& table) {
  if (table.on_device) throw KernelError("UAM_ARGUMENT", "shape and strides must be arrays of the host");
  return table;
}

// Where the elements of a walk lie in each of its operands. `together` elements along the last axis count as one.
template <int operands> struct Places {
  int rank = 0;
  Divisor lengths[kMaxRank];
  int64_t strides[operands][kMaxRank];

  explicit Places(const Walk<operands>& walk, int64_t together = 1) : rank(walk.rank) {
    for (int axis = 0; axis < rank; ++axis) {
      const int64_t each = axis == rank - 1 ? together : 1;
      lengths[axis] = Divisor(std::max<int64_t>(walk.shape[axis] / each, 1), walk.n);
      for (int k = 0; k < operands; ++k) strides[k][axis] = walk.strides[k][axis] * each;
    }
  }
  __device__ __forceinline__ void find(int64_t element, int64_t (&offsets)[operands]) const {
#pragma unroll
    for (int k = 0; k < operands; ++k) offsets[k] = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t row = axis == 0 ? 0 : lengths[axis].quotient(element), index = element - row * lengths[axis].divisor();
#pragma unroll
      for (int k = 0; k < operands; ++k) offsets[k] += index * strides[k][axis];
      element = row;
    }
  }
};

// Whether operand k, whose array starts at `base`, can be read in quads along the last axis: as 16 bytes, or as one number four times.
template <int operands> bool quads_along(const Walk<operands>& walk, int k, const void* base, size_t quad_bytes = 16) {
  if (walk.rank == 0 || walk.inner() % 4 != 0) return false;
  if (walk.inner_stride(k) == 0) return true;
  if (walk.inner_stride(k) != 1 || reinterpret_cast<uintptr_t>(base) % quad_bytes != 0) return false;
  for (int axis = 0; axis < walk.rank - 1; ++axis)
    if (walk.strides[k][axis] % 4 != 0) return false;
  return true;
}

}  // namespace uam::cuda
