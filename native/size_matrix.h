// Grey-level size matrices: how often each pair (grey level, size) occurs in a region. Runs and their lengths (GLRLM), zones and
// their areas (GLSZM), pixels and their dependents (GLDM) are three of them, and share sixteen features.
//
// A matrix is a list of its entries that are not zero: thousands of levels by thousands of sizes cost nothing.
#pragma once
#include <cstdint>

#include "roi.h"
#include "sorting.h"

namespace uam {

// One run, zone or pixel: the index of its level in Roi::grey, and its size, 1 or more.
struct LevelSize {
  int32_t level, size;
};

struct SizeEntry {
  int32_t level, size;
  double count;  // whole unless weighted
};

// Counts equal pairs. `entries` has room for `n` + 1; returns how many are used. The order depends on the pairs alone.
int64_t count_pairs(const LevelSize* pairs, int64_t n, int32_t levels, SizeEntry* entries, Scratch& scratch);

// With i the grey level, j the size, c the count, T = sum c, p = c / T.
struct SizeFeatures {
  double level_non_uniformity;             // sum_i (sum_j c)^2 / T
  double level_non_uniformity_normalized;  // the same / T^2
  double level_variance;                   // sum p (i - mean i)^2
  double size_non_uniformity;              // sum_j (sum_i c)^2 / T
  double size_non_uniformity_normalized;   // the same / T^2
  double size_variance;                    // sum p (j - mean j)^2
  double entropy;                          // -sum p log2(p + eps)
  double percentage;                       // T / sum c j
  double high_level, low_level;            // sum p i^2, sum p / i^2
  double large, small;                     // sum p j^2, sum p / j^2
  double large_high, large_low;            // sum p j^2 i^2, sum p j^2 / i^2
  double small_high, small_low;            // sum p i^2 / j^2, sum p / (i^2 j^2)
};

// Features of a matrix with at least one entry.
SizeFeatures describe_sizes(const SizeEntry* entries, int64_t n, const Roi& roi, Scratch& scratch);

// Whether a table of levels x sizes counts the pairs; beyond it, sorting does.
UAM_HD constexpr bool counts_in_table(int64_t levels, int64_t largest, int64_t n) { return levels * largest <= 8192 + 4 * n; }

// Writes input.matrix, for tests: rows of grey level - 1, size - 1, count, 0 in rising order.
template <class Work> UAM_HD void write_sizes(const RoiInput& input, SizeEntry* entries, int64_t n, const Roi& roi, Work& work) {
  sort_list(work, entries, n,
            [](const SizeEntry& a, const SizeEntry& b) { return a.level == b.level ? a.size < b.size : a.level < b.level; });
  MatrixRows matrix(input);
  for (int64_t e = 0; e < n; ++e) matrix.add(roi.grey[entries[e].level] - 1, double(entries[e].size - 1), entries[e].count, 0);
}

}  // namespace uam
