// The formulas of first-order statistics, on any device.
#pragma once
#include <cmath>

#include "kernels/firstorder.h"

namespace uam {

// The intensities in rising order, each with how often it occurs: the histogram of 8-bit values, or a sorted list.
class OrderedValues {
 public:
  UAM_HD OrderedValues(const Roi& roi, const double* sorted) : n_(roi.n) {
    if (sorted) {
      values_ = sorted;
      last_ = n_ - 1;
    } else {
      first_ = int64_t(roi.minimum);
      last_ = int64_t(roi.maximum);
      counts_ = roi.histogram;
    }
  }

  // Linear interpolation between order statistics, as numpy.percentile.
  UAM_HD double percentile(double q) const {
    const double place = q * double(n_ - 1);
    const int64_t below = least(int64_t(place), n_ - 1);
    const Pair pair = pair_at(below);
    const double a = pair.low, b = pair.high;
    const double t = place - double(below);
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
  }

  // Calls use(value, count) for what lies in [low, high], rising.
  template <class F> UAM_HD void each_within(double low, double high, F&& use) const {
    for (int64_t k = first_; k <= last_; ++k) {
      const double x = values_ ? values_[k] : double(k);
      if (x >= low && x <= high) use(x, values_ ? 1.0 : double(counts_[k]));
    }
  }

 private:
  struct Pair {
    double low, high;
  };

  // The values at this rank and at the next, if there is one.
  UAM_HD Pair pair_at(int64_t rank) const {
    if (values_) return {values_[rank], values_[least(rank + 1, n_ - 1)]};
    int64_t k = first_, passed = counts_[k];
    while (passed <= rank) passed += counts_[++k];
    const double low = double(k);
    while (passed <= least(rank + 1, n_ - 1)) passed += counts_[++k];
    return {low, double(k)};
  }

  int64_t n_, first_ = 0, last_ = 0;
  const double* values_ = nullptr;   // in rising order, or absent:
  const int32_t* counts_ = nullptr;  // of the values from 0 to 255
};

// The sum as numpy adds it up, to the last bit. Where a flat cell's value has no exact multiple, its mean differs from it by a
// rounding error, and PyRadiomics' skewness and kurtosis are those of that error: +-1 and 1, not 0. Only the same mean gives the same.
UAM_HD inline double pairwise_leaf(const double* x, int64_t n) {
  double sum = 0;
  int64_t i = 0;
  if (n >= 8) {
    double r[8];
    for (int k = 0; k < 8; ++k) r[k] = x[k];
    for (i = 8; i < n - n % 8; i += 8) {
      for (int k = 0; k < 8; ++k) r[k] += x[i + k];
    }
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < n; ++i) sum += x[i];
  return sum;
}

// Without recursion, which costs a card its stack: the way to each leaf is in the bits of `path`, of which a set one turned right.
UAM_HD inline double pairwise_sum(const double* x, int64_t n) {
  double left[32] = {};  // sums of the left halves above this place
  int64_t starts[32], sizes[32];
  uint32_t path = 0;
  int depth = 0;
  starts[0] = 0;
  sizes[0] = n;
  for (;;) {
    while (sizes[depth] > 128) {
      const int64_t half = sizes[depth] / 2 - (sizes[depth] / 2) % 8;
      starts[depth + 1] = starts[depth];
      sizes[depth + 1] = half;
      path &= ~(1u << depth++);
    }
    double sum = pairwise_leaf(x + starts[depth], sizes[depth]);
    while (depth > 0 && (path >> (depth - 1) & 1u)) sum = left[--depth] + sum;
    if (depth == 0) return sum;
    const int above = depth - 1;
    left[above] = sum;
    path |= 1u << above;
    const int64_t half = sizes[depth];
    starts[depth] = starts[above] + half;
    sizes[depth] = sizes[above] - half;
  }
}

// `sorted`: the values in rising order, or absent where there is a histogram.
UAM_HD inline void firstorder_features(const Firstorder& p, const Roi& roi, const double* sorted, double* out) {
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
    deviation += fabs(d);
  }
  m2 /= count;
  m3 /= count;
  m4 /= count;

  const OrderedValues ordered(roi, sorted);
  const double p10 = ordered.percentile(0.10), p90 = ordered.percentile(0.90);
  double inside = 0, robust_sum = 0, robust_deviation = 0, least = 0, greatest = 0;
  ordered.each_within(p10, p90, [&](double value, double times) {
    if (times > 0 && inside == 0) least = value;
    if (times > 0) greatest = value;
    inside += times;
    robust_sum += value * times;
  });
  const double robust_mean = least == greatest ? least : robust_sum / inside;
  ordered.each_within(p10, p90, [&](double value, double times) { robust_deviation += times * fabs(value - robust_mean); });

  double uniformity = 0;
  for (int32_t k = 0; k < roi.levels; ++k) uniformity += double(roi.counts[k]) * double(roi.counts[k]);

  out[kPercentile10] = p10;
  out[kPercentile90] = p90;
  out[kEnergy] = energy;
  out[kEntropy] = entropy_of(roi.counts, roi.levels, n, roi.logs);
  out[kInterquartileRange] = ordered.percentile(0.75) - ordered.percentile(0.25);
  out[kKurtosis] = m2 == 0 ? 0 : m4 / (m2 * m2) - (p.excess_kurtosis ? 3 : 0);
  out[kMaximum] = roi.maximum;
  out[kMean] = mean;
  out[kMeanAbsoluteDeviation] = deviation / count;
  out[kMedian] = ordered.percentile(0.5);
  out[kMinimum] = roi.minimum;
  out[kRange] = roi.maximum - roi.minimum;
  out[kRobustMeanAbsoluteDeviation] = inside > 0 ? robust_deviation / inside : NAN;
  out[kRootMeanSquared] = sqrt(energy / count);
  out[kSkewness] = m2 == 0 ? 0 : m3 / (m2 * sqrt(m2));
  out[kStandardDeviation] = sqrt(m2);
  out[kTotalEnergy] = energy * p.pixel_area;
  out[kUniformity] = uniformity / (count * count);
  out[kVariance] = m2;
}

}  // namespace uam
