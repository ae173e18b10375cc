#include "kernels/filter_intensity.h"

#include <cmath>
#include <vector>

#include "parallel.h"

namespace uam::cpu {

constexpr int64_t kIntensityGrain = 1 << 14;

// The largest magnitude; NaN where any value is NaN.
static double largest_magnitude(const double* x, int64_t n) {
  std::vector<double> partial(size_t((n + kIntensityGrain - 1) / kIntensityGrain), 0.0);
  parallel_for(n, kIntensityGrain, [&](int64_t begin, int64_t end) {
    double largest = 0;
    for (int64_t i = begin; i < end; ++i) {
      const double magnitude = std::fabs(x[i]);
      if (!(magnitude <= largest)) largest = magnitude;  // a NaN is taken here ...
      if (std::isnan(largest)) break;                    // ... and kept
    }
    partial[size_t(begin / kIntensityGrain)] = largest;
  });
  double largest = 0;
  for (const double block : partial) {
    if (std::isnan(largest)) break;
    if (!(block <= largest)) largest = block;
  }
  return largest;
}

template <class F> static void each(const FilterIntensity& p, F&& f) {
  parallel_for(p.n, kIntensityGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.y.data[i] = f(p.x.data[i]);
  });
}

void filter_intensity(const FilterIntensity& p) {
  const double m = largest_magnitude(p.x.data, p.n);
  switch (p.filter) {
    case IntensityFilter::square: {
      const double scale = 1 / std::sqrt(m);
      return each(p, [=](double x) { return (scale * x) * (scale * x); });
    }
    case IntensityFilter::square_root: return each(p, [=](double x) { return x > 0 ? std::sqrt(x * m) : x < 0 ? -std::sqrt(-x * m) : x; });
    case IntensityFilter::logarithm: {
      const double scale = m / std::log(m + 1);
      return each(p, [=](double x) { return (x > 0 ? std::log(x + 1) : x < 0 ? -std::log(1 - x) : x) * scale; });
    }
    default: {
      const double scale = std::log(m) / m;
      return each(p, [=](double x) { return std::exp(scale * x); });
    }
  }
}

}  // namespace uam::cpu
