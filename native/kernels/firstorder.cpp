#include "kernels/firstorder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "each_region.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The intensities in rising order. 8-bit values are counted instead of sorted.
const double* sorted(const Roi& roi, bool bytes, Scratch& scratch) {
  double* values = scratch.take<double>(roi.n);
  if (!bytes) {
    std::copy(roi.values, roi.values + roi.n, values);
    std::sort(values, values + roi.n);
    return values;
  }
  int32_t counts[256] = {};
  for (int64_t i = 0; i < roi.n; ++i) ++counts[uint8_t(roi.values[i])];
  double* next = values;
  for (int v = int(roi.minimum); v <= int(roi.maximum); ++v) {
    std::fill(next, next + counts[v], double(v));
    next += counts[v];
  }
  return values;
}

// Linear interpolation between order statistics, as numpy.percentile.
double percentile(const double* sorted_values, int64_t n, double q) {
  const double place = q * double(n - 1);
  const int64_t below = std::min(int64_t(place), n - 1), above = std::min(below + 1, n - 1);
  const double a = sorted_values[below], b = sorted_values[above], t = place - double(below);
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

// The sum as numpy adds it up, to the last bit. Where a flat cell's value has no exact multiple, its mean differs from it by a
// rounding error, and PyRadiomics' skewness and kurtosis are those of that error: +-1 and 1, not 0. Only the same mean gives the same.
double pairwise_sum(const double* x, int64_t n) {
  if (n > 128) {
    const int64_t half = n / 2 - (n / 2) % 8;
    return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
  }
  double sum = 0;
  int64_t i = 0;
  if (n >= 8) {
    double r[8];
    std::copy(x, x + 8, r);
    for (i = 8; i < n - n % 8; i += 8) {
      for (int k = 0; k < 8; ++k) r[k] += x[i + k];
    }
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < n; ++i) sum += x[i];
  return sum;
}

void describe(const Firstorder& p, const Roi& roi, double* out, Scratch& scratch) {
  const int64_t n = roi.n;
  const double count = double(n);
  const double* x = roi.values;

  double energy = 0;
  for (int64_t i = 0; i < n; ++i) energy += (x[i] + p.shift) * (x[i] + p.shift);
  const double mean = pairwise_sum(x, n) / count;
  double m2 = 0, m3 = 0, m4 = 0, deviation = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double d = x[i] - mean, d2 = d * d;
    m2 += d2;
    m3 += d2 * d;
    m4 += d2 * d2;
    deviation += std::fabs(d);
  }
  m2 /= count;
  m3 /= count;
  m4 /= count;

  const double* ordered = sorted(roi, bool(p.u8), scratch);
  const double p10 = percentile(ordered, n, 0.10), p90 = percentile(ordered, n, 0.90);
  const double* first = std::lower_bound(ordered, ordered + n, p10);
  const double* last = std::upper_bound(first, ordered + n, p90);
  const double inside = double(last - first);
  double robust_sum = 0, robust_deviation = 0;
  for (const double* v = first; v < last; ++v) robust_sum += *v;
  const double robust_mean = first < last && *first == last[-1] ? *first : robust_sum / inside;
  for (const double* v = first; v < last; ++v) robust_deviation += std::fabs(*v - robust_mean);

  double uniformity = 0;
  for (int32_t k = 0; k < roi.levels; ++k) uniformity += double(roi.counts[k]) * double(roi.counts[k]);

  out[kPercentile10] = p10;
  out[kPercentile90] = p90;
  out[kEnergy] = energy;
  out[kEntropy] = entropy_of(roi.counts, roi.levels, n);
  out[kInterquartileRange] = percentile(ordered, n, 0.75) - percentile(ordered, n, 0.25);
  out[kKurtosis] = m2 == 0 ? 0 : m4 / (m2 * m2) - (p.excess_kurtosis ? 3 : 0);
  out[kMaximum] = roi.maximum;
  out[kMean] = mean;
  out[kMeanAbsoluteDeviation] = deviation / count;
  out[kMedian] = percentile(ordered, n, 0.5);
  out[kMinimum] = roi.minimum;
  out[kRange] = roi.maximum - roi.minimum;
  out[kRobustMeanAbsoluteDeviation] = first < last ? robust_deviation / inside : kNaN;
  out[kRootMeanSquared] = std::sqrt(energy / count);
  out[kSkewness] = m2 == 0 ? 0 : m3 / (m2 * std::sqrt(m2));
  out[kStandardDeviation] = std::sqrt(m2);
  out[kTotalEnergy] = energy * p.pixel_area;
  out[kUniformity] = uniformity / (count * count);
  out[kVariance] = m2;
}

}  // namespace

int64_t check(const Firstorder&) { return 0; }

void fill_row(const Firstorder& p, const Roi& roi, int64_t, double* out) {
  Scratch scratch;
  if (roi.n == 0 || !roi.finite) std::fill(out, out + kFirstorderColumns, kNaN);
  else describe(p, roi, out, scratch);
}

void firstorder(const Firstorder& p) { fill_rows(p); }

}  // namespace uam::cpu
