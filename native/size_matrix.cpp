#include "size_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace uam {

namespace {

// A table of levels x sizes is used up to this many places and four per pair; beyond it, sorting.
constexpr int64_t kTablePlaces = 8192;

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

// c log2 c
double c_log_c(double count) {
  const int64_t whole = int64_t(count);
  return count * (double(whole) == count ? log2_of(whole) : std::log2(count));
}

}  // namespace

int64_t count_pairs(const LevelSize* pairs, int64_t n, int32_t levels, SizeEntry* entries, Scratch& scratch) {
  int32_t largest = 1;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, pairs[i].size);
  if (int64_t(levels) * largest <= kTablePlaces + 4 * n) return count_in_table(pairs, n, levels, largest, entries, scratch);
  return count_by_sorting(pairs, n, entries, scratch);
}

SizeFeatures describe_sizes(const SizeEntry* entries, int64_t n, const Roi& roi, Scratch& scratch) {
  struct Level {
    double count, large, small;  // sums of c, c j^2 and c / j^2
  };
  Level* levels = scratch.take<Level>(roi.levels);
  std::fill(levels, levels + roi.levels, Level{0, 0, 0});
  int32_t largest = 1;
  for (int64_t e = 0; e < n; ++e) largest = std::max(largest, entries[e].size);
  double* sizes = scratch.take<double>(largest + 1);
  std::fill(sizes, sizes + largest + 1, 0.0);

  double total = 0, size_sum = 0, logs = 0;
  for (int64_t e = 0; e < n; ++e) {
    const double c = entries[e].count, j = double(entries[e].size), j2 = j * j;
    Level& level = levels[entries[e].level];
    level.count += c;
    level.large += c * j2;
    level.small += c / j2;
    sizes[entries[e].size] += c;
    total += c;
    size_sum += c * j;
    logs += c_log_c(c);
  }

  SizeFeatures f{};
  const double first = roi.grey[0];  // variances are taken about it, so that one level gives exactly 0
  double level_sum = 0;
  for (int32_t k = 0; k < roi.levels; ++k) {
    const Level& level = levels[k];
    const double i2 = roi.grey[k] * roi.grey[k], inverse = 1 / i2;
    level_sum += level.count * (roi.grey[k] - first);
    f.level_non_uniformity += level.count * level.count;
    f.high_level += level.count * i2;
    f.low_level += level.count * inverse;
    f.large += level.large;
    f.large_high += level.large * i2;
    f.large_low += level.large * inverse;
    f.small += level.small;
    f.small_high += level.small * i2;
    f.small_low += level.small * inverse;
  }
  const double mean_level = level_sum / total, mean_size = size_sum / total;
  for (int32_t k = 0; k < roi.levels; ++k) {
    const double d = roi.grey[k] - first - mean_level;
    f.level_variance += levels[k].count * d * d;
  }
  for (int32_t size = 1; size <= largest; ++size) {
    const double d = double(size) - mean_size;
    f.size_variance += sizes[size] * d * d;
    f.size_non_uniformity += sizes[size] * sizes[size];
  }

  f.entropy = n == 1 ? -std::log2(1 + kEpsilon) : std::log2(total) - logs / total;
  f.percentage = total / size_sum;
  for (double* mean : {&f.level_non_uniformity, &f.size_non_uniformity, &f.level_variance, &f.size_variance, &f.high_level, &f.low_level,
                       &f.large, &f.small, &f.large_high, &f.large_low, &f.small_high, &f.small_low})
    *mean /= total;
  f.level_non_uniformity_normalized = f.level_non_uniformity / total;
  f.size_non_uniformity_normalized = f.size_non_uniformity / total;
  return f;
}

void write_sizes(const RoiInput& input, SizeEntry* entries, int64_t n, const Roi& roi) {
  std::sort(entries, entries + n,
            [](const SizeEntry& a, const SizeEntry& b) { return a.level == b.level ? a.size < b.size : a.level < b.level; });
  MatrixRows matrix(input);
  for (int64_t e = 0; e < n; ++e) matrix.add(roi.grey[entries[e].level] - 1, double(entries[e].size - 1), entries[e].count, 0);
}

}  // namespace uam
