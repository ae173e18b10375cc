// The formulas of the neighbourhood grey-tone difference matrix, on any device; `work` is where they take their memory from.
#pragma once
#include <cmath>

#include "kernels/ngtdm.h"
#include "sorting.h"

namespace uam {

constexpr double kMostCoarse = 1e6;  // Coarseness where no pixel differs from its neighbours

// The matrix: for each grey level i that has pixels, their number n and the sum s of |i - mean level of the neighbours|.
struct Tones {
  int32_t levels;
  const double* grey;
  const double* n;
  const double* s;
  double total;  // sum n
};

// Where sums and numbers of neighbours both stay below this, differences are taken from whole numbers.
constexpr int64_t kPackedSums = 1 << 16;
UAM_HD inline bool fits_packed(const Roi& roi, int64_t neighbors) {
  return roi.grey[roi.levels - 1] * double(neighbors) < double(kPackedSums) && neighbors < kPackedSums;
}

// Leaves the levels that count; `grey` has room for all.
UAM_HD inline Tones drop_empty(const Roi& roi, double* n, double* s, double* grey) {
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
template <class Work> UAM_HD double spread(const Tones& t, Work& work) {
  double* ip = work.template take<double>(t.levels);
  for (int32_t k = 0; k < t.levels; ++k) ip[k] = t.grey[k] * (t.n[k] / t.total);
  sort_list(work, ip, t.levels, [](double a, double b) { return a < b; });
  double sum = 0;
  for (int32_t k = 0; k + 1 < t.levels; ++k) sum += (ip[k + 1] - ip[k]) * double(k + 1) * double(t.levels - 1 - k);
  return 2 * sum;
}

constexpr int32_t kPairLevels = 512;  // up to this many levels each pair is looked at

// sum_(i > j) (i - j) (n_i s_i + n_j s_j) / (n_i + n_j) is the sum over i of this, in rising order.
UAM_HD inline double differences_of_level(const Tones& t, int32_t i) {
  const double n = t.n[i], ns = n * t.s[i], grey = t.grey[i];
  double row = 0;
  for (int32_t j = 0; j < i; ++j) row += (grey - t.grey[j]) * (ns + t.n[j] * t.s[j]) / (n + t.n[j]);
  return row;
}

// The same where levels are many. Then many have the same n, and for these j the sum over j comes from four running sums, since
// (i - j)(a_i + a_j) = i a_i + i a_j - j a_i - j a_j with a = n s.
template <class Work> UAM_HD double differences_by_number(const Tones& t, Work& work) {
  struct Class {
    double n, count, grey, ns, grey_ns;  // sums over the levels j passed so far that have this n
  };
  double* numbers = work.template take<double>(t.levels);
  for (int32_t k = 0; k < t.levels; ++k) numbers[k] = t.n[k];
  sort_list(work, numbers, t.levels, [](double a, double b) { return a < b; });
  int64_t classes = 0;
  for (int32_t k = 0; k < t.levels; ++k)
    if (classes == 0 || numbers[classes - 1] != numbers[k]) numbers[classes++] = numbers[k];
  Class* by_number = work.template take<Class>(classes);
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
    int64_t at = 0;  // of n among the numbers
    for (int64_t above = classes; at + 1 < above;) {
      const int64_t middle = (at + above) / 2;
      if (numbers[middle] <= n) at = middle;
      else above = middle;
    }
    Class& own = by_number[at];
    own.count += 1;
    own.grey += grey;
    own.ns += ns;
    own.grey_ns += grey * ns;
  }
  return sum;
}

// `differences`: as above.
template <class Work> UAM_HD void ngtdm_features(const Tones& t, double differences, double* out, Work& work) {
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
  const double levels = double(t.levels), between = spread(t, work);
  out[Ngtdm::kBusyness] = between == 0 ? 0 : ps / between;
  out[Ngtdm::kCoarseness] = ps == 0 ? kMostCoarse : 1 / ps;
  out[Ngtdm::kComplexity] = 2 * differences / t.total;
  out[Ngtdm::kContrast] = t.levels == 1 ? 0 : 2 * variance / (levels * (levels - 1)) * (s / t.total);
  out[Ngtdm::kStrength] = s == 0 ? 0 : 2 * (levels * variance + squares) / s;
}

}  // namespace uam
