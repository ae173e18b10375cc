// Threads over the rows of a matrix, a whole number of rows per block: threadIdx.x runs along a row, threadIdx.y over rows, and
// what a thread takes at a time is four numbers where every row is aligned for that, else one.
#pragma once
#include <initializer_list>

#include "call.cuh"

namespace uam::cuda {

template <int n> struct alignas(n * sizeof(float)) Floats { float at[n]; };
template <int n> __device__ __forceinline__ Floats<n> load_floats(const float* from) { return *reinterpret_cast<const Floats<n>*>(from); }
template <int n> __device__ __forceinline__ void store_floats(float* to, const Floats<n>& floats) {
  *reinterpret_cast<Floats<n>*>(to) = floats;
}

inline constexpr unsigned kVectorThreads = 256;

// Threads along a row of `vectors`, and as many rows as make a block of kVectorThreads.
inline dim3 row_threads(int64_t vectors) {
  unsigned along = 1;
  while (along < 64 && along < vectors) along *= 2;
  return {along, kVectorThreads / along};
}
inline Grid row_grid(int64_t rows, int64_t vectors) {
  const dim3 threads = row_threads(vectors);
  return {unsigned(ceil_div<int64_t>(rows, threads.y)), threads};
}
__device__ inline int64_t row_of_thread() { return blockIdx.x * int64_t(blockDim.y) + threadIdx.y; }

template <int n> struct VectorSize { static constexpr int kFloats = n; };

// body(VectorSize<4>) where rows of `width` floats of all these arrays can be read four at a time, else body(VectorSize<1>)
template <class Body> void with_vector_size(int64_t width, std::initializer_list<const float*> arrays, Body&& body) {
  bool aligned = width % 4 == 0;
  for (const float* array : arrays) aligned = aligned && reinterpret_cast<uintptr_t>(array) % 16 == 0;
  if (aligned) body(VectorSize<4>());
  else body(VectorSize<1>());
}

}  // namespace uam::cuda
