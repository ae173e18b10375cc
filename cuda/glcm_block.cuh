// One region's row of co-occurrence features, by a block: counts by all threads, then each step's features by a thread of its own.
#pragma once
#include "glcm_features.h"
#include "texture_gather.cuh"

namespace uam::cuda {

constexpr int64_t kStepsTogether = 4;

struct PairList {
  GlcmEntry* entries;
  int64_t n;
};

// Counts the pairs of `some` steps and lists them in the order of the matrices' rows, as the CPU does.
__device__ inline void list_pairs(const Roi& roi, bool symmetrical, const Step* steps, int64_t some, PairList* lists, Arena arena) {
  const int64_t levels = roi.levels, places = levels * levels;
  if (places <= most<int64_t>(8192, 16 * roi.n)) {
    int32_t* tables = arena.take<int32_t>(some * places);
    each_of(some * places, [&](int64_t k) { tables[k] = 0; });
    __syncthreads();
    each_of(roi.n, [&](int64_t i) {
      const int32_t* here = roi.image + roi.at[i];
      for (int64_t k = 0; k < some; ++k) {
        const int32_t other = here[steps[k].dy * roi.stride + steps[k].dx];
        if (other > 0) atomicAdd(&tables[k * places + (*here - 1) * levels + other - 1], 1);
      }
    });
    __syncthreads();
    const unsigned warp = threadIdx.x >> 5, warps = blockDim.x >> 5, lane = threadIdx.x & 31u;
    for (int64_t k = warp; k < some; k += warps) {  // a warp lists a table
      const int32_t* table = tables + k * places;
      int64_t n = 0;
      for (int64_t base = 0; base < places; base += 32) {
        const uint32_t at = uint32_t(base) + lane, i = at / uint32_t(levels), j = at - i * uint32_t(levels);
        const bool listed = at < places && (!symmetrical || j >= i);
        const int32_t count = listed ? table[at] + (symmetrical ? table[j * levels + i] : 0) : 0;
        const int64_t place = place_in_warp(count != 0, n);
        if (count != 0) lists[k].entries[place] = {int32_t(i), int32_t(j), double(count), symmetrical && i != j};
      }
      if (lane == 0) lists[k].n = n;
    }
    __syncthreads();
    return;
  }
  for (int64_t k = 0; k < some; ++k) {
    Arena work = arena;
    uint64_t* keys = work.take<uint64_t>(roi.n);
    int32_t* starts = work.take<int32_t>(roi.n);
    const int64_t offset = steps[k].dy * roi.stride + steps[k].dx;
    const int64_t pairs = each_kept(
        roi.n, [&](int64_t p) { return roi.image[roi.at[p] + offset] > 0; },
        [&](int64_t p, int64_t place) {
          const uint64_t i = uint64_t(roi.image[roi.at[p]]), j = uint64_t(roi.image[roi.at[p] + offset]);
          keys[place] = symmetrical && i > j ? j << 32 | i : i << 32 | j;
        });
    block_sort(keys, pairs);
    const int64_t n = each_run(keys, pairs, starts, [&](int64_t e, int64_t first, int64_t end) {
      const int32_t i = int32_t(keys[first] >> 32) - 1, j = int32_t(uint32_t(keys[first])) - 1;
      const bool twice = symmetrical && i != j;
      lists[k].entries[e] = {i, j, double(end - first) * (symmetrical && !twice ? 2 : 1), twice};
    });
    if (threadIdx.x == 0) lists[k].n = n;
    __syncthreads();
  }
}

// By one thread. A function of its own, as it holds more numbers at a time than everything about it.
template <class Work> __device__ __noinline__ void describe_pairs(const Glcm& p, const Roi& roi, const GlcmEntry* entries, int64_t n,
                                                                  bool whole, double* out, Work arena) {
  glcm_features(p, roi, entries, n, whole, out, arena);
}

__device__ __forceinline__ void fill_row(const Glcm& p, const Roi& roi, int64_t r, double* out, Arena arena) {
  if (roi.n == 0 || !roi.finite) return fill_nan(out, kGlcmColumns);
  const int64_t step_count = count_steps(p.distances.data, p.distance_count, roi), levels = roi.levels;
  const int64_t capacity = least(levels * levels, roi.n);
  const bool merged = p.weighting != Weighting::average;
  Step* steps = arena.take<Step>(step_count);
  PairList* lists = arena.take<PairList>(kStepsTogether);
  double* features = arena.take<double>(kStepsTogether * kGlcmColumns);
  GlcmEntry* entries = arena.take<GlcmEntry>(kStepsTogether * capacity);
  GlcmEntry* sum = arena.take<GlcmEntry>(merged ? least(levels * levels, roi.n * step_count) + capacity : 0);
  if (threadIdx.x == 0) list_steps(p.distances.data, p.distance_count, roi, steps);
  if (threadIdx.x < kStepsTogether) lists[threadIdx.x] = {entries + threadIdx.x * capacity, 0};
  __syncthreads();
  MatrixRows rows;
  if (r == 0 && p.matrix.data && threadIdx.x == 0 && !merged) rows = MatrixRows(p);
  const int64_t need = glcm_feature_bytes(levels, roi.grey[levels - 1], capacity, p.symmetrical);
  const int lanes = int(least(kStepsTogether, most<int64_t>((arena.slow_end - arena.slow) / need, 1)));

  double mean = 0;                   // of the thread's column
  int64_t angles = 0, with_mcc = 0;  // MCC alone can be NaN at some of them
  int64_t sum_n = 0;                 // of the first thread
  for (int64_t first = 0; first < step_count; first += kStepsTogether) {
    const int64_t some = least(kStepsTogether, step_count - first);
    list_pairs(roi, p.symmetrical, steps + first, some, lists, arena);
    if (merged) {
      for (int64_t k = 0; k < some && threadIdx.x == 0; ++k) {
        const double d = step_length(p.weighting, steps[first + k], p.spacing_x, p.spacing_y);
        const double weight = p.weighting == Weighting::none ? 1 : exp(-d * d);
        if (weight == 0) continue;
        for (int64_t e = 0; e < lists[k].n; ++e) {
          sum[sum_n + e] = lists[k].entries[e];
          sum[sum_n + e].count *= weight;
        }
        sum_n = merge_entries(sum, sum_n + lists[k].n, arena);
      }
      __syncthreads();
      continue;
    }
    for (int64_t k = threadIdx.x; int(threadIdx.x) < lanes && k < some; k += lanes) {
      Arena own = arena.of_lane(int(threadIdx.x), lanes);
      if (lists[k].n > 0) describe_pairs(p, roi, lists[k].entries, lists[k].n, true, features + k * kGlcmColumns, own);
    }
    __syncthreads();
    for (int64_t k = 0; k < some; ++k) {
      if (lists[k].n == 0) continue;
      const bool correlates = features[k * kGlcmColumns + kMcc] == features[k * kGlcmColumns + kMcc];
      ++angles;
      with_mcc += correlates;
      if (threadIdx.x < kGlcmColumns) mean += threadIdx.x == kMcc && !correlates ? 0 : features[k * kGlcmColumns + threadIdx.x];
      if (r == 0 && p.matrix.data && threadIdx.x == 0)
        write_pairs(rows, roi, lists[k].entries, lists[k].n, step_count - 1 - first - k);  // PyRadiomics' order of angles
    }
    __syncthreads();
  }
  if (merged) {
    if (threadIdx.x == 0 && sum_n > 0) describe_pairs(p, roi, sum, sum_n, p.weighting == Weighting::none, out, arena);
    if (threadIdx.x == 0 && sum_n == 0)
      for (int k = 0; k < kGlcmColumns; ++k) out[k] = NAN;
    return;
  }
  if (threadIdx.x < kGlcmColumns) out[threadIdx.x] = angles == 0 ? double(NAN) : mean / double(threadIdx.x == kMcc ? with_mcc : angles);
}

// The bytes that this takes at most, of n pixels and so many steps. `highest`: the greatest grey level, if that is known.
inline int64_t glcm_bytes(int64_t n, int64_t levels, double highest, int64_t steps, bool symmetrical, bool merged) {
  const int64_t square = levels * levels, entries = std::min(square, n);
  const int64_t counting = std::max(16 * std::min(square, std::max<int64_t>(8192, 16 * n)), 12 * n);
  const int64_t sum = merged ? std::min(square, n * steps) + entries : 0;
  const int64_t describing = glcm_feature_bytes(levels, highest, std::max(entries, sum), symmetrical);
  return 8 * steps + 24 * (4 * entries + sum) + std::max({counting, describing, 24 * sum}) + 4096;
}

}  // namespace uam::cuda
