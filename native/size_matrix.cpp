#include "size_matrix.h"

#include <algorithm>
#include <cstring>

#include "size_features.h"

namespace uam {

namespace {

int64_t count_in_table(const LevelSize* pairs, int64_t n, int32_t levels, int32_t largest, SizeEntry* entries, Scratch& scratch) {
  int32_t* counts = scratch.take<int32_t>(int64_t(levels) * largest);
  std::memset(counts, 0, size_t(levels) * size_t(largest) * sizeof(int32_t));
  const auto count_of = [&](int32_t level, int32_t size) -> int32_t& { return counts[int64_t(level) * largest + size - 1]; };
  int64_t used = 0;
  for (int64_t i = 0; i < n; ++i) {  // written always, kept where the pair is new: no branch to guess
    entries[used].level = pairs[i].level;
    entries[used].size = pairs[i].size;
    used += count_of(pairs[i].level, pairs[i].size)++ == 0;
  }
  for (int64_t e = 0; e < used; ++e) entries[e].count = double(count_of(entries[e].level, entries[e].size));
  return used;
}

int64_t count_by_sorting(const LevelSize* pairs, int64_t n, SizeEntry* entries, Scratch& scratch) {
  uint64_t* keys = scratch.take<uint64_t>(n);
  for (int64_t i = 0; i < n; ++i) keys[i] = uint64_t(pairs[i].level) << 32 | uint32_t(pairs[i].size);
  std::sort(keys, keys + n);
  int64_t used = 0;
  for (int64_t i = 0, end = 0; i < n; i = end) {
    while (end < n && keys[end] == keys[i]) ++end;
    entries[used++] = {int32_t(keys[i] >> 32), int32_t(uint32_t(keys[i])), double(end - i)};
  }
  return used;
}

}  // namespace

int64_t count_pairs(const LevelSize* pairs, int64_t n, int32_t levels, SizeEntry* entries, Scratch& scratch) {
  int32_t largest = 1;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, pairs[i].size);
  if (counts_in_table(levels, largest, n)) return count_in_table(pairs, n, levels, largest, entries, scratch);
  return count_by_sorting(pairs, n, entries, scratch);
}

SizeFeatures describe_sizes(const SizeEntry* entries, int64_t n, const Roi& roi, Scratch& scratch) {
  return size_features(entries, n, roi, scratch);
}

}  // namespace uam
