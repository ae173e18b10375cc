// The neighbours that NGTDM and GLDM look at, as neighbors.h has them.
#pragma once
#include "roi.h"
#include "texture_arena.cuh"

namespace uam::cuda {

struct Around {
  const int64_t* offsets = nullptr;
  int64_t half = 0;
};

__device__ inline Around find_around(const int32_t* distances, int64_t count, const Roi& roi, Arena& arena) {
  if (roi.n < 2 || !roi.finite) return {};
  const int64_t half = count_steps(distances, count, roi);
  int64_t* offsets = arena.take<int64_t>(half);
  if (threadIdx.x == 0) {
    int64_t n = 0;
    each_step(distances, count, roi, [&](Step step) { offsets[n++] = step.dy * roi.stride + step.dx; });
  }
  __syncthreads();
  return {offsets, half};
}

}  // namespace uam::cuda
