// size_matrix.h's count_pairs by a block: the same entries in the same order, as sums of their formulas depend on it.
#pragma once
#include "size_features.h"
#include "texture_arena.cuh"

namespace uam::cuda {

struct SizeMatrix {
  SizeEntry* entries = nullptr;
  int64_t n = 0;
};

// Of n pairs, which every thread may read already.
__device__ inline SizeMatrix count_pairs(const LevelSize* pairs, int64_t n, int32_t levels, Arena& arena) {
  SizeMatrix matrix;
  matrix.entries = arena.take<SizeEntry>(n + 1);
  int32_t largest = 1;
  each_of(n, [&](int64_t i) { largest = Larger()(largest, pairs[i].size); });
  largest = block_reduce(largest, 1, Larger());
  Arena work = arena;
  if (counts_in_table(levels, largest, n)) {  // entries in the order of their first pairs
    const int64_t places = int64_t(levels) * largest;
    int32_t *counts = work.take<int32_t>(places), *first = work.take<int32_t>(places);
    each_of(places, [&](int64_t k) {
      counts[k] = 0;
      first[k] = INT32_MAX;
    });
    __syncthreads();
    const auto place_of = [&](const LevelSize& pair) { return int64_t(pair.level) * largest + pair.size - 1; };
    each_of(n, [&](int64_t i) {
      atomicAdd(&counts[place_of(pairs[i])], 1);
      atomicMin(&first[place_of(pairs[i])], int32_t(i));
    });
    __syncthreads();
    matrix.n = each_kept(
        n, [&](int64_t i) { return first[place_of(pairs[i])] == i; },
        [&](int64_t i, int64_t place) {
          matrix.entries[place] = {pairs[i].level, pairs[i].size, double(counts[place_of(pairs[i])])};
        });
    return matrix;
  }
  uint64_t* keys = work.take<uint64_t>(n);
  int32_t* starts = work.take<int32_t>(n);
  each_of(n, [&](int64_t i) { keys[i] = uint64_t(pairs[i].level) << 32 | uint32_t(pairs[i].size); });
  block_sort(keys, n);
  matrix.n = each_run(keys, n, starts, [&](int64_t k, int64_t from, int64_t end) {
    matrix.entries[k] = {int32_t(keys[from] >> 32), int32_t(uint32_t(keys[from])), double(end - from)};
  });
  return matrix;
}

// The bytes that count_pairs and one thread's size_features take at most, of n pairs.
inline int64_t pairs_bytes(int64_t n, int64_t levels) {
  const int64_t table = std::min(8192 + 4 * n, levels * std::max<int64_t>(n, 9));
  return 16 * (n + 1) + std::max(8 * table, 12 * n) + 256;
}
inline int64_t size_feature_bytes(int64_t n, int64_t levels) { return 24 * levels + 8 * (std::max<int64_t>(n, 9) + 2) + 64; }

}  // namespace uam::cuda
