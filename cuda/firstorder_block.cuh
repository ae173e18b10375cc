// One region's row of first-order features, by a block.
#pragma once
#include "firstorder_features.h"
#include "texture_gather.cuh"

namespace uam::cuda {

__device__ __forceinline__ void fill_row(const Firstorder& p, const Roi& roi, int64_t, double* out, Arena arena) {
  if (roi.n == 0 || !roi.finite) return fill_nan(out, kFirstorderColumns);
  double* sorted = nullptr;
  if (!roi.histogram) {
    sorted = arena.take<double>(roi.n);
    each_of(roi.n, [&](int64_t i) { sorted[i] = roi.values[i]; });
    block_sort(sorted, roi.n);
  }
  if (threadIdx.x == 0) firstorder_features(p, roi, sorted, out);
}

}  // namespace uam::cuda
