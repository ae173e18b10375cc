// One region's row of zone features, by a block.
#pragma once
#include "kernels/glszm.h"
#include "texture_gather.cuh"
#include "texture_pairs.cuh"

namespace uam::cuda {

// Sets of places, all threads at once: a place's parent is another place of its set that comes earlier, the first is its own. What
// another thread has just written may be read late: it was true before, and atomicMin tells what is true now.
__device__ inline int32_t first_of(const int32_t* parent, int32_t place) {
  while (parent[place] != place) place = parent[place];
  return place;
}
__device__ inline void unite(int32_t* parent, int32_t a, int32_t b) {
  for (;;) {
    a = first_of(parent, a);
    b = first_of(parent, b);
    if (a == b) return;
    if (a < b) {
      const int32_t c = a;
      a = b;
      b = c;
    }
    const int32_t before = atomicMin(&parent[a], b);
    if (before == a) return;
    a = before;  // somebody was quicker: what a belonged to must join too
  }
}

// The zones in the order of their first pixels, which is that of the CPU's sets.
__device__ inline int64_t find_zones(const Roi& roi, LevelSize* zones, Arena arena) {
  int32_t* parent = arena.take<int32_t>(roi.rows * roi.stride);
  int32_t* size = arena.take<int32_t>(roi.rows * roi.stride);
  each_of(roi.n, [&](int64_t i) {
    parent[roi.at[i]] = roi.at[i];
    size[roi.at[i]] = 0;
  });
  __syncthreads();
  const int32_t stride = int32_t(roi.stride);
  each_of(roi.n, [&](int64_t i) {
    const int32_t at = roi.at[i], level = roi.image[at], west = at - 1, north = at - stride;
    const auto same = [&](int32_t other) { return roi.image[other] == level; };
    if (same(north)) return unite(parent, at, north);  // it touches the three others: they unite with it themselves, or with one another
    if (same(north + 1)) unite(parent, at, north + 1);
    if (same(west)) unite(parent, at, west);
    else if (same(north - 1)) unite(parent, at, north - 1);
  });
  __syncthreads();
  each_of(roi.n, [&](int64_t i) { atomicAdd(&size[first_of(parent, roi.at[i])], 1); });
  __syncthreads();
  return each_kept(
      roi.n, [&](int64_t i) { return parent[roi.at[i]] == roi.at[i]; },
      [&](int64_t i, int64_t place) {
        zones[place] = {roi.image[roi.at[i]] - 1, size[roi.at[i]]};
      });
}

__device__ __forceinline__ void fill_row(const Glszm& p, const Roi& roi, int64_t r, double* out, Arena arena) {
  const bool textured = roi.n > 1 && roi.finite;
  SizeMatrix matrix;
  if (textured) {
    LevelSize* zones = arena.take<LevelSize>(roi.n);
    const int64_t n = find_zones(roi, zones, arena);
    matrix = count_pairs(zones, n, roi.levels, arena);
    if (threadIdx.x == 0) {
      Arena work = arena;
      Glszm::write(size_features(matrix.entries, matrix.n, roi, work), out);
    }
  } else {
    fill_nan(out, Glszm::kColumns);
  }
  if (r == 0 && p.matrix.data && threadIdx.x == 0) write_sizes(p, matrix.entries, matrix.n, roi, arena);
}

}  // namespace uam::cuda
