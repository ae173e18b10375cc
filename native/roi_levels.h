// How values become grey levels, and which of them stay in the region: what gathering a region computes, on any device.
#pragma once
#include <cmath>

#include "roi.h"

namespace uam {

// The range that PyRadiomics' resegmentRange keeps, of the values of a region and their maximum.
struct KeptRange {
  double low, high;
};

UAM_HD inline KeptRange kept_range(const RoiInput& input, const double* values, int64_t n, double maximum) {
  double low = input.low, high = input.high;
  const auto limits = [&](double shift, double unit) {  // a range without an end stays so, whatever the unit
    low = fabs(low) == INFINITY ? low : shift + low * unit;
    high = fabs(high) == INFINITY ? high : shift + high * unit;
  };
  if (input.resegment == Resegment::relative) {
    limits(0, maximum);
  } else if (input.resegment == Resegment::sigma) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i) mean += values[i];
    mean /= double(n);
    for (int64_t i = 0; i < n; ++i) variance += (values[i] - mean) * (values[i] - mean);
    const double deviation = sqrt(variance / double(n));
    limits(mean, deviation);
  }
  return {low, high};
}

// The edges that numpy.arange or numpy.histogram would give, without the array: edge(i) is where level i + 1 starts.
struct Edges {
  double start, step, last;
  int64_t last_index;  // -1: no last edge of its own
  UAM_HD double edge(int64_t i) const {
    return i == last_index ? last : last_index < 0 ? start + double(i) * step : double(i) * step + start;
  }
};

UAM_HD inline double floor_mod(double x, double y) {
  double rest = fmod(x, y);
  if (rest != 0 && (rest < 0) != (y < 0)) rest += y;
  return rest;
}

UAM_HD inline Edges edges_of(const RoiInput& input, double minimum, double maximum) {
  if (input.bin_count > 0) {
    if (minimum == maximum) {
      minimum -= 0.5;
      maximum += 0.5;
    }
    return {minimum, (maximum - minimum) / double(input.bin_count), maximum + 1, input.bin_count};
  }
  const double start = input.bins_from_min ? minimum : minimum - floor_mod(minimum, input.bin_width);
  return {start, (start + input.bin_width) - start, 0, -1};
}

// The number of edges at or below x: numpy.digitize. A division finds it but for rounding, the edges themselves decide.
UAM_HD inline double level_of(const Edges& edges, double x) {
  if (!(edges.step > 0)) return 1;  // bins finer than doubles: all values share one
  const double guess = floor((x - edges.start) / edges.step);
  if (!(guess < 4e15)) return guess + 1;
  int64_t level = most<int64_t>(int64_t(guess), 0);
  if (edges.last_index >= 0) level = least(level, edges.last_index);
  while (level != edges.last_index && x >= edges.edge(level + 1)) ++level;
  while (level > 0 && x < edges.edge(level)) --level;
  return double(level + 1);
}

constexpr int64_t kTableLevels = 4096;  // up to this many levels a table finds which are present; beyond it, sorting does

// How wide the ring of zeros about a region's level image is. Throws where the region is too large to gather.
int64_t pad_of(const RoiInput& input, int64_t r, int64_t reach);

}  // namespace uam
