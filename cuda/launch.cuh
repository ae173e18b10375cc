// Launching a kernel over n elements: 256 threads a block, a grid-stride loop inside the kernel.
#pragma once
#include <algorithm>
#include <cstdint>

#include "memory.cuh"

namespace uam::cuda {

inline constexpr int kThreads = 256;
inline constexpr int64_t kMaxBlocks = 1 << 16;  // enough to fill any card; the loop covers the rest

__device__ inline int64_t first_element() { return blockIdx.x * int64_t(blockDim.x) + threadIdx.x; }
__device__ inline int64_t element_step() { return gridDim.x * int64_t(blockDim.x); }

// kernel(args...) on enough blocks for n elements, in this thread's stream. n = 0 launches nothing.
template <class... Params, class... Args> void launch(int64_t n, void (*kernel)(Params...), Args... args) {
  if (n <= 0) return;
  const int64_t blocks = std::min((n + kThreads - 1) / kThreads, kMaxBlocks);
  kernel<<<unsigned(blocks), kThreads, 0, cudaStreamPerThread>>>(args...);
  check(cudaGetLastError(), "launching the kernel");
}

}  // namespace uam::cuda
