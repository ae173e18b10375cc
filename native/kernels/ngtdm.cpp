#include "kernels/ngtdm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "neighbors.h"
#include "each_region.h"
#include "ngtdm_features.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Sums and numbers of neighbours for all pixels at once. Both fit into one integer, as long as the levels are few: the sum of the
// levels below, the number of neighbours in the upper half. Going through the whole rows between the first and the last pixel
// costs less than asking for each pixel.
constexpr int kNumberShift = 16;
static_assert(kPackedSums == 1 << kNumberShift);

const uint32_t* packed_sums(const Roi& roi, const Neighbors& around, Scratch& scratch) {
  const int64_t places = roi.rows * roi.stride;
  uint32_t* packed = scratch.take<uint32_t>(places);
  std::fill(packed, packed + places, 0u);
  for (int64_t i = 0; i < roi.n; ++i) packed[roi.at[i]] = uint32_t(roi.grey[roi.image[roi.at[i]] - 1]) + (1u << kNumberShift);
  uint32_t* sums = scratch.take<uint32_t>(places);
  const int64_t first = roi.at[0], last = roi.at[roi.n - 1];
  std::fill(sums + first, sums + last + 1, 0u);
  for (int64_t k = 0; k < around.half; ++k) {
    const int64_t offset = around.offsets[k];
    for (int64_t at = first; at <= last; ++at) sums[at] += packed[at - offset] + packed[at + offset];
  }
  return sums;
}

void add_packed(const Roi& roi, const Neighbors& around, bool skip_isolated, double* n, double* s, Scratch& scratch) {
  const uint32_t* sums = packed_sums(roi, around, scratch);
  for (int64_t i = 0; i < roi.n; ++i) {
    const int32_t k = roi.image[roi.at[i]] - 1;
    const uint32_t sum = sums[roi.at[i]], number = sum >> kNumberShift;
    const double difference = roi.grey[k] * double(number) - double(sum & ((1u << kNumberShift) - 1));  // exact
    n[k] += number > 0 || !skip_isolated;
    s[k] += std::fabs(difference) / double(std::max(number, 1u));
  }
}

void add_unpacked(const Roi& roi, const Neighbors& around, bool skip_isolated, double* n, double* s) {
  for (int64_t i = 0; i < roi.n; ++i) {
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
    n[*here - 1] += number > 0 || !skip_isolated;
    if (number > 0) s[*here - 1] += std::fabs(roi.grey[*here - 1] - sum / double(number));
  }
}

Tones find_tones(const Roi& roi, const Neighbors& around, bool skip_isolated, Scratch& scratch) {
  double* n = scratch.take<double>(roi.levels);
  double* s = scratch.take<double>(roi.levels);
  std::fill(n, n + roi.levels, 0.0);
  std::fill(s, s + roi.levels, 0.0);
  if (fits_packed(roi, 2 * around.half)) add_packed(roi, around, skip_isolated, n, s, scratch);
  else add_unpacked(roi, around, skip_isolated, n, s);

  return drop_empty(roi, n, s, scratch.take<double>(roi.levels));
}

void describe(const Tones& t, double* out, Scratch& scratch) {
  double differences = 0;
  if (t.levels <= kPairLevels)
    for (int32_t i = 1; i < t.levels; ++i) differences += differences_of_level(t, i);
  else differences = differences_by_number(t, scratch);
  ngtdm_features(t, differences, out, scratch);
}

}  // namespace

int64_t check(const Ngtdm& p) { return check_distances(p.distances.data, p.distance_count); }

void fill_row(const Ngtdm& p, const Roi& roi, int64_t r, double* out) {
  Scratch scratch;
  const Neighbors around = find_neighbors(p.distances.data, p.distance_count, roi, scratch);
  Tones tones{};
  if (around.half > 0) tones = find_tones(roi, around, p.skip_isolated, scratch);
  if (tones.levels > 0) describe(tones, out, scratch);
  else std::fill(out, out + Ngtdm::kColumns, kNaN);
  if (r == 0 && p.matrix) {
    MatrixRows matrix(p);
    for (int32_t k = 0; k < tones.levels; ++k) matrix.add(tones.n[k], tones.s[k], tones.grey[k], 0);
  }
}

void ngtdm(const Ngtdm& p) { fill_rows(p); }

}  // namespace uam::cpu
