// One region's row of run features, by a block.
#pragma once
#include "kernels/glrlm.h"
#include "texture_gather.cuh"
#include "texture_pairs.cuh"

namespace uam::cuda {

constexpr int kRunDirections = 4;
__device__ inline Step run_direction(int d) { return {int32_t(d != 3), d == 1 ? 0 : d == 2 ? -1 : 1}; }

// Runs in one direction, in the order of their last pixels: from each, a thread walks back to the first.
__device__ inline int64_t find_runs(const Roi& roi, int direction, LevelSize* runs) {
  const Step step = run_direction(direction);
  const int64_t offset = step.dy * roi.stride + step.dx;
  return each_kept(
      roi.n, [&](int64_t i) { return roi.image[roi.at[i] + offset] != roi.image[roi.at[i]]; },
      [&](int64_t i, int64_t place) {
        const int32_t level = roi.image[roi.at[i]];
        int32_t length = 1;
        for (int64_t before = roi.at[i] - offset; roi.image[before] == level; before -= offset) ++length;
        runs[place] = {level - 1, length};
      });
}

// Whether a line in this direction holds two pixels of the region. PyRadiomics drops the directions where none does.
__device__ inline bool has_lines(const Roi& roi, int64_t runs, int direction, Arena arena) {
  if (runs < roi.n) return true;  // some run is longer than 1
  const Step step = run_direction(direction);
  const int64_t lines = roi.rows + roi.stride;
  int32_t* seen = arena.take<int32_t>(lines);
  each_of(lines, [&](int64_t k) { seen[k] = 0; });
  __syncthreads();
  int found = 0;
  each_of(roi.n, [&](int64_t i) {
    const int64_t y = roi.at[i] / int32_t(roi.stride), x = roi.at[i] - y * roi.stride;
    found |= atomicExch(&seen[x * step.dy - y * step.dx + (step.dx > 0 ? roi.rows : 0)], 1);
  });
  return __syncthreads_or(found) != 0;
}

__device__ inline bool before(const SizeEntry& a, const SizeEntry& b) { return a.level != b.level ? a.level < b.level : a.size < b.size; }

// By one thread: the weighted sum of the matrices.
__device__ inline void merge_runs(const SizeMatrix* matrices, const double* weights, const Roi& roi, double* out, Arena arena) {
  int64_t n = 0;
  for (int d = 0; d < kRunDirections; ++d) n += matrices[d].n;
  if (n == 0) {  // as PyRadiomics, where sums over no run lengths are 0, and all else is divided by 0 runs
    for (int k = 0; k < Glrlm::kColumns; ++k) out[k] = NAN;
    out[Glrlm::kRunEntropy] = out[Glrlm::kRunVariance] = 0;
    return;
  }
  SizeEntry* merged = arena.take<SizeEntry>(n);
  n = 0;
  for (int d = 0; d < kRunDirections; ++d)
    for (int64_t e = 0; e < matrices[d].n; ++e) {
      merged[n] = matrices[d].entries[e];
      merged[n++].count *= weights[d];
    }
  stable_sort_list(arena, merged, n, before);
  int64_t last = 0;
  for (int64_t e = 1; e < n; ++e) {
    if (!before(merged[last], merged[e])) merged[last].count += merged[e].count;
    else merged[++last] = merged[e];
  }
  Glrlm::write(size_features(merged, last + 1, roi, arena), out);
}

// By one thread, for tests.
__device__ inline void write_runs(const Glrlm& p, const SizeMatrix* matrices, const Roi& roi, Arena arena) {
  struct Row {
    double level;
    int32_t size, direction;
    double count;
  };
  int64_t n = 0;
  for (int d = 0; d < kRunDirections; ++d) n += matrices[d].n;
  Row* rows = arena.take<Row>(n);
  n = 0;
  int direction = 0;  // numbered without those that the box is too narrow for
  for (int d = 0; d < kRunDirections; ++d) {
    for (int64_t e = 0; e < matrices[d].n; ++e) {
      const SizeEntry& entry = matrices[d].entries[e];
      rows[n++] = {roi.grey[entry.level] - 1, entry.size - 1, direction, entry.count};
    }
    const Step step = run_direction(d);
    direction += step.dy < roi.box_height && (step.dx == 0 || roi.box_width > 1);
  }
  sort_list(arena, rows, n, [](const Row& a, const Row& b) {
    return a.level != b.level ? a.level < b.level : a.size != b.size ? a.size < b.size : a.direction < b.direction;
  });
  MatrixRows matrix(p);
  for (int64_t k = 0; k < n; ++k) matrix.add(rows[k].level, rows[k].size, rows[k].direction, rows[k].count);
}

__device__ __forceinline__ void fill_row(const Glrlm& p, const Roi& roi, int64_t r, double* out, Arena arena) {
  const bool textured = roi.n > 1 && roi.finite;
  SizeMatrix* matrices = arena.take<SizeMatrix>(kRunDirections);
  for (int d = 0; d < kRunDirections; ++d) {
    SizeMatrix matrix;
    if (textured) {
      Arena after = arena;
      after.take<SizeEntry>(roi.n + 1);  // where count_pairs will put the entries
      LevelSize* runs = after.take<LevelSize>(roi.n);
      const int64_t count = find_runs(roi, d, runs);
      if (has_lines(roi, count, d, after)) {
        SizeEntry* entries = arena.take<SizeEntry>(roi.n + 1);
        const SizeMatrix counted = count_pairs(runs, count, roi.levels, after);
        each_of(counted.n, [&](int64_t e) { entries[e] = counted.entries[e]; });
        matrix = {entries, counted.n};
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) matrices[d] = matrix;
  }
  __syncthreads();
  if (r == 0 && p.matrix.data && threadIdx.x == 0) write_runs(p, matrices, roi, arena);
  if (!textured) return fill_nan(out, Glrlm::kColumns);
  if (p.weights.data) {
    if (threadIdx.x == 0) merge_runs(matrices, p.weights.data, roi, out, arena);
    return;
  }
  double* features = arena.take<double>(kRunDirections * Glrlm::kColumns);
  if (threadIdx.x < kRunDirections && matrices[threadIdx.x].n > 0) {
    Arena own = arena.of_lane(int(threadIdx.x), kRunDirections);
    const SizeMatrix& matrix = matrices[threadIdx.x];
    Glrlm::write(size_features(matrix.entries, matrix.n, roi, own), features + threadIdx.x * Glrlm::kColumns);
  }
  __syncthreads();
  each_of(Glrlm::kColumns, [&](int64_t column) {
    double sum = 0;
    int used = 0;
    for (int d = 0; d < kRunDirections; ++d) {
      if (matrices[d].n == 0) continue;
      sum += features[d * Glrlm::kColumns + column];
      ++used;
    }
    out[column] = used == 0 ? double(NAN) : sum / used;
  });
}

// The bytes that this takes at most, of n pixels.
inline int64_t glrlm_bytes(int64_t n, int64_t levels, int64_t lines) {
  const int64_t counting = 24 * (n + 1) + 4 * lines + pairs_bytes(n, levels);
  const int64_t describing =
      std::max(kRunDirections * (size_feature_bytes(n, levels) + 64), kRunDirections * 2 * 32 * n + size_feature_bytes(n, levels));
  return 64 + 4 * 16 * (n + 2) + std::max(counting, describing) + 4096;
}

}  // namespace uam::cuda
