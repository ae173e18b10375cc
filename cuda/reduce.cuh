// Sums, maxima and the like over the lanes of a warp and the threads of a block, always in the same order.
#pragma once
#include "device.cuh"

namespace uam::cuda {

struct Plus {
  template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};
// NaN wins, as a maximum that hides it would hide a broken model.
struct Greater {
  template <class T> __device__ T operator()(T a, T b) const { return a != a ? a : (b > a || b != b) ? b : a; }
};

// Of all 32 lanes; every lane gets the result.
template <class T, class Op> __device__ __forceinline__ T warp_reduce(T value, Op op) {
#pragma unroll
  for (int bits = 16; bits > 0; bits >>= 1) value = op(value, __shfl_xor_sync(kWholeWarp, value, bits));
  return value;
}
template <class T> __device__ __forceinline__ T warp_sum(T value) { return warp_reduce(value, Plus()); }
template <class T> __device__ __forceinline__ T warp_max(T value) { return warp_reduce(value, Greater()); }

// Of all threads of a block of whole warps (1024 at most), on one axis; every thread gets the result. Two barriers.
template <class T, class Op> __device__ T block_reduce(T value, T neutral, Op op) {
  UAM_SHARED(T, partial, [32]);
  const unsigned lane = threadIdx.x & 31u, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  value = warp_reduce(value, op);
  __syncthreads();  // the result of the call before may still be read
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? partial[lane] : neutral, op);
}
template <class T> __device__ T block_sum(T value) { return block_reduce(value, T(0), Plus()); }
template <class T> __device__ T block_max(T value) { return block_reduce(value, T(-INFINITY), Greater()); }

}  // namespace uam::cuda
