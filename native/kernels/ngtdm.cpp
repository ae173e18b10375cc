#include "kernels/ngtdm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "neighbors.h"
#include "each_region.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMostCoarse = 1e6;  // Coarseness where no pixel differs from its neighbours

// The matrix: for each grey level i that has pixels, their number n and the sum s of |i - mean level of the neighbours|.
struct Tones {
  int32_t levels;
  const double* grey;
  const double* n;
  const double* s;
  double total;  // sum n
};

// Sums and numbers of neighbours for all pixels at once. Both fit into one integer, as long as the levels are few: the sum of the
// levels below, the number of neighbours in the upper half. Going through the whole rows between the first and the last pixel
// costs less than asking for each pixel.
constexpr int kNumberShift = 16;

bool fits_packed(const Roi& roi, int64_t neighbors) {
  return roi.grey[roi.levels - 1] * double(neighbors) < double(1 << kNumberShift) && neighbors < (1 << kNumberShift);
}

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

  double* grey = scratch.take<double>(roi.levels);
  double total = 0;
  int32_t levels = 0;
  for (int32_t k = 0; k < roi.levels; ++k) {
    if (n[k] == 0) continue;
    total += n[k];
    grey[levels] = roi.grey[k];
    n[levels] = n[k];
    s[levels++] = s[k];
  }
  return {levels, grey, n, s, total};
}

// sum_ij |i p_i - j p_j|: each gap between values in order counts once for every pair across it.
double spread(const Tones& t, Scratch& scratch) {
  double* ip = scratch.take<double>(t.levels);
  for (int32_t k = 0; k < t.levels; ++k) ip[k] = t.grey[k] * (t.n[k] / t.total);
  std::sort(ip, ip + t.levels);
  double sum = 0;
  for (int32_t k = 0; k + 1 < t.levels; ++k) sum += (ip[k + 1] - ip[k]) * double(k + 1) * double(t.levels - 1 - k);
  return 2 * sum;
}

constexpr int32_t kPairLevels = 512;  // up to this many levels each pair is looked at

// sum_(i > j) (i - j) (n_i s_i + n_j s_j) / (n_i + n_j)
double differences_by_pair(const Tones& t) {
  double sum = 0;
  for (int32_t i = 1; i < t.levels; ++i) {
    const double n = t.n[i], ns = n * t.s[i], grey = t.grey[i];
    double row = 0;
    for (int32_t j = 0; j < i; ++j) row += (grey - t.grey[j]) * (ns + t.n[j] * t.s[j]) / (n + t.n[j]);
    sum += row;
  }
  return sum;
}

// The same where levels are many. Then many have the same n, and for these j the sum over j comes from four running sums, since
// (i - j)(a_i + a_j) = i a_i + i a_j - j a_i - j a_j with a = n s.
double differences_by_number(const Tones& t, Scratch& scratch) {
  struct Class {
    double n, count, grey, ns, grey_ns;  // sums over the levels j passed so far that have this n
  };
  double* numbers = scratch.take<double>(t.levels);
  std::copy(t.n, t.n + t.levels, numbers);
  std::sort(numbers, numbers + t.levels);
  const int64_t classes = std::unique(numbers, numbers + t.levels) - numbers;
  Class* by_number = scratch.take<Class>(classes);
  for (int64_t c = 0; c < classes; ++c) by_number[c] = {numbers[c], 0, 0, 0, 0};
  double sum = 0;
  for (int32_t i = 0; i < t.levels; ++i) {
    const double n = t.n[i], ns = n * t.s[i], grey = t.grey[i] - t.grey[0];
    double row = 0;
    for (int64_t c = 0; c < classes; ++c) {
      const Class& other = by_number[c];
      row += (grey * (other.count * ns + other.ns) - ns * other.grey - other.grey_ns) / (n + other.n);
    }
    sum += row;
    Class& own = by_number[std::lower_bound(numbers, numbers + classes, n) - numbers];
    own.count += 1;
    own.grey += grey;
    own.ns += ns;
    own.grey_ns += grey * ns;
  }
  return sum;
}

void describe(const Tones& t, double* out, Scratch& scratch) {
  double ps = 0, s = 0, mean = 0;
  for (int32_t k = 0; k < t.levels; ++k) {
    ps += t.n[k] / t.total * t.s[k];
    s += t.s[k];
    mean += t.n[k] / t.total * (t.grey[k] - t.grey[0]);
  }
  // About the mean level, sum_ij p_i p_j (i - j)^2 is twice the variance, and sum_ij (p_i + p_j)(i - j)^2 is
  // 2 (levels * variance + sum_j (j - mean)^2).
  double variance = 0, squares = 0;
  for (int32_t k = 0; k < t.levels; ++k) {
    const double d = t.grey[k] - t.grey[0] - mean;
    variance += t.n[k] / t.total * d * d;
    squares += d * d;
  }
  const double levels = double(t.levels), between = spread(t, scratch);
  const double differences = t.levels <= kPairLevels ? differences_by_pair(t) : differences_by_number(t, scratch);
  out[Ngtdm::kBusyness] = between == 0 ? 0 : ps / between;
  out[Ngtdm::kCoarseness] = ps == 0 ? kMostCoarse : 1 / ps;
  out[Ngtdm::kComplexity] = 2 * differences / t.total;
  out[Ngtdm::kContrast] = t.levels == 1 ? 0 : 2 * variance / (levels * (levels - 1)) * (s / t.total);
  out[Ngtdm::kStrength] = s == 0 ? 0 : 2 * (levels * variance + squares) / s;
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
