// The formulas of size_matrix.h, on any device; `work` is where they take their memory from.
#pragma once
#include <cmath>

#include "size_matrix.h"

namespace uam {

// c log2 c
UAM_HD inline double c_log_c(double count, const double* logs) {
  const int64_t whole = int64_t(count);
  return count * (double(whole) == count ? log2_of(whole, logs) : log2(count));
}

template <class Work> UAM_HD SizeFeatures size_features(const SizeEntry* entries, int64_t n, const Roi& roi, Work& work) {
  struct Level {
    double count, large, small;  // sums of c, c j^2 and c / j^2
  };
  Level* levels = work.template take<Level>(roi.levels);
  for (int32_t k = 0; k < roi.levels; ++k) levels[k] = Level{0, 0, 0};
  int32_t largest = 1;
  for (int64_t e = 0; e < n; ++e) largest = most(largest, entries[e].size);
  double* sizes = work.template take<double>(largest + 1);
  for (int32_t size = 0; size <= largest; ++size) sizes[size] = 0;

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
    logs += c_log_c(c, roi.logs);
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

  f.entropy = n == 1 ? -log2(1 + kEpsilon) : log2(total) - logs / total;
  f.percentage = total / size_sum;
  for (double* mean : {&f.level_non_uniformity, &f.size_non_uniformity, &f.level_variance, &f.size_variance, &f.high_level, &f.low_level,
                       &f.large, &f.small, &f.large_high, &f.large_low, &f.small_high, &f.small_low})
    *mean /= total;
  f.level_non_uniformity_normalized = f.level_non_uniformity / total;
  f.size_non_uniformity_normalized = f.size_non_uniformity / total;
  return f;
}

}  // namespace uam
