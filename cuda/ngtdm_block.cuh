// One region's row of NGTDM features, by a block.
#pragma once
#include "ngtdm_features.h"
#include "texture_gather.cuh"
#include "texture_steps.cuh"

namespace uam::cuda {

// |level - mean level of the neighbours| of one pixel; -1 where it does not count.
__device__ inline double tone_difference(const Roi& roi, const Around& around, bool packed, bool skip_isolated, int64_t i) {
  const int32_t* here = roi.image + roi.at[i];
  double sum = 0;
  int64_t number = 0;
  const auto add = [&](int32_t level) {
    if (level == 0) return;
    sum += roi.grey[level - 1];
    ++number;
  };
  for (int64_t k = 0; k < around.half; ++k) {
    add(here[around.offsets[k]]);
    add(here[-around.offsets[k]]);
  }
  const double grey = roi.grey[*here - 1];
  if (number == 0) return skip_isolated ? -1 : 0;
  return packed ? fabs(grey * double(number) - sum) / double(number) : fabs(grey - sum / double(number));  // the CPU's two ways
}

__device__ inline Tones find_tones(const Roi& roi, const Around& around, bool skip_isolated, Arena& arena) {
  double *n = arena.take<double>(roi.levels), *s = arena.take<double>(roi.levels), *grey = arena.take<double>(roi.levels);
  Tones* tones = arena.take<Tones>(1);
  Arena work = arena;
  double* difference = work.take<double>(roi.n);
  int32_t* level = work.take<int32_t>(roi.n);
  const bool packed = fits_packed(roi, 2 * around.half);
  each_of(roi.n, [&](int64_t i) {
    difference[i] = tone_difference(roi, around, packed, skip_isolated, i);
    level[i] = roi.image[roi.at[i]] - 1;
  });
  __syncthreads();
  each_of(roi.levels, [&](int64_t k) {  // a thread per level adds in the order of the pixels
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < roi.n; ++i) {
      if (level[i] != k || difference[i] < 0) continue;
      sum += difference[i];
      ++count;
    }
    n[k] = double(count);
    s[k] = sum;
  });
  __syncthreads();
  if (threadIdx.x == 0) *tones = drop_empty(roi, n, s, grey);
  __syncthreads();
  return *tones;
}

__device__ __forceinline__ void fill_row(const Ngtdm& p, const Roi& roi, int64_t r, double* out, Arena arena) {
  const Around around = find_around(p.distances.data, p.distance_count, roi, arena);
  Tones tones{};
  if (around.half > 0) tones = find_tones(roi, around, p.skip_isolated, arena);
  if (tones.levels > 0) {
    const bool by_pair = tones.levels <= kPairLevels;
    double* rows = arena.take<double>(by_pair ? tones.levels : 0);
    if (by_pair) each_of(tones.levels, [&](int64_t i) { rows[i] = differences_of_level(tones, int32_t(i)); });
    __syncthreads();
    if (threadIdx.x == 0) {
      double differences = 0;
      for (int32_t i = 1; by_pair && i < tones.levels; ++i) differences += rows[i];
      Arena work = arena;
      if (!by_pair) differences = differences_by_number(tones, work);
      ngtdm_features(tones, differences, out, arena);
    }
  } else {
    fill_nan(out, Ngtdm::kColumns);
  }
  if (r == 0 && p.matrix.data && threadIdx.x == 0) {
    MatrixRows matrix(p);
    for (int32_t k = 0; k < tones.levels; ++k) matrix.add(tones.n[k], tones.s[k], tones.grey[k], 0);
  }
}

// The bytes that this takes at most.
inline int64_t ngtdm_bytes(int64_t n, int64_t levels) { return 12 * n + 24 * levels + 8 * levels + (8 + 16 + 16 + 40) * levels + 1024; }

}  // namespace uam::cuda
