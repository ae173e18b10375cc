// One region's row of dependence features, by a block.
#pragma once
#include "kernels/gldm.h"
#include "texture_gather.cuh"
#include "texture_pairs.cuh"
#include "texture_steps.cuh"

namespace uam::cuda {

__device__ __forceinline__ void fill_row(const Gldm& p, const Roi& roi, int64_t r, double* out, Arena arena) {
  const Around around = find_around(p.distances.data, p.distance_count, roi, arena);
  SizeMatrix matrix;
  if (around.half > 0) {
    LevelSize* pairs = arena.take<LevelSize>(roi.n);
    each_of(roi.n, [&](int64_t i) {  // each pixel with its number of dependents, itself included
      const int32_t* here = roi.image + roi.at[i];
      const double grey = roi.grey[*here - 1];
      int32_t dependents = 1;
      const auto depends = [&](int32_t level) { return level > 0 && fabs(roi.grey[level - 1] - grey) <= p.alpha; };
      for (int64_t k = 0; k < around.half; ++k) {
        dependents += depends(here[around.offsets[k]]);
        dependents += depends(here[-around.offsets[k]]);
      }
      pairs[i] = {*here - 1, dependents};
    });
    __syncthreads();
    matrix = count_pairs(pairs, roi.n, roi.levels, arena);
    if (threadIdx.x == 0) {
      Arena work = arena;
      Gldm::write(size_features(matrix.entries, matrix.n, roi, work), out);
    }
  } else {
    fill_nan(out, Gldm::kColumns);
  }
  if (r == 0 && p.matrix.data && threadIdx.x == 0) write_sizes(p, matrix.entries, matrix.n, roi, arena);
}

}  // namespace uam::cuda
