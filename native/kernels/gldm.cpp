#include "kernels/gldm.h"

#include <algorithm>
#include <limits>

#include "neighbors.h"
#include "each_region.h"
#include "size_matrix.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// For each level, the levels that depend on it: `span` more from `low` on, as the level image numbers them (from 1).
struct Range {
  uint32_t low, span;
};

const Range* find_ranges(const Roi& roi, double alpha, Scratch& scratch) {
  Range* ranges = scratch.take<Range>(roi.levels);
  int32_t low = 0, high = 0;
  for (int32_t k = 0; k < roi.levels; ++k) {
    while (roi.grey[k] - roi.grey[low] > alpha) ++low;
    high = std::max(high, k);
    while (high + 1 < roi.levels && roi.grey[high + 1] - roi.grey[k] <= alpha) ++high;
    ranges[k] = {uint32_t(low + 1), uint32_t(high - low)};
  }
  return ranges;
}

// Each pixel with its number of dependents, itself included.
const LevelSize* find_dependents(const Roi& roi, const Neighbors& around, double alpha, Scratch& scratch) {
  LevelSize* pixels = scratch.take<LevelSize>(roi.n);
  const Range* ranges = find_ranges(roi, alpha, scratch);
  for (int64_t i = 0; i < roi.n; ++i) {
    const int32_t* here = roi.image + roi.at[i];
    const int32_t level = *here - 1;
    const Range range = ranges[level];
    int32_t dependents = 1;
    for (int64_t k = 0; k < around.half; ++k) {  // unsigned: what lies below `low`, as 0 does, becomes very large
      dependents += uint32_t(here[around.offsets[k]]) - range.low <= range.span;
      dependents += uint32_t(here[-around.offsets[k]]) - range.low <= range.span;
    }
    pixels[i] = {level, dependents};
  }
  return pixels;
}

void describe(const SizeEntry* entries, int64_t n, const Roi& roi, double* out, Scratch& scratch) {
  Gldm::write(describe_sizes(entries, n, roi, scratch), out);
}

}  // namespace

int64_t check(const Gldm& p) {
  if (!(p.alpha >= 0)) throw KernelError("UAM_ARGUMENT", "alpha must be at least 0, received " + std::to_string(p.alpha));
  return check_distances(p.distances.data, p.distance_count);
}

void fill_row(const Gldm& p, const Roi& roi, int64_t r, double* out) {
  Scratch scratch;
  const Neighbors around = find_neighbors(p.distances.data, p.distance_count, roi, scratch);
  SizeEntry* entries = nullptr;
  int64_t n = 0;
  if (around.half > 0) {
    entries = scratch.take<SizeEntry>(roi.n + 1);
    n = count_pairs(find_dependents(roi, around, p.alpha, scratch), roi.n, roi.levels, entries, scratch);
    describe(entries, n, roi, out, scratch);
  } else {
    std::fill(out, out + Gldm::kColumns, kNaN);
  }
  if (r == 0 && p.matrix) write_sizes(p, entries, n, roi, scratch);
}

void gldm(const Gldm& p) { fill_rows(p); }

}  // namespace uam::cpu
