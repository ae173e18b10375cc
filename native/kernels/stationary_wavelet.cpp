#include "kernels/stationary_wavelet.h"

#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {

// The tap that is summed t-th, for an output whose window begins at `start` of a line of `length` values.
static int64_t tap_in_order(int64_t t, int64_t start, int64_t length) {
  return start < length || t > start - length ? t : start - length - t;
}

static int64_t wrap(int64_t index, int64_t length) {
  const int64_t rest = index % length;
  return rest < 0 ? rest + length : rest;
}

static void along_rows(const StationaryWavelet& p) {
  const int64_t w = p.width, taps = p.taps, half = taps / 2;
  const double *lo = p.low_taps.data, *hi = p.high_taps.data;
  parallel_for(p.height, 8, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    double* line = scratch.take<double>(w + taps);  // the row, with what the windows see before its first value
    for (int64_t r = begin; r < end; ++r) {
      const double* x = p.x.data + r * w;
      double *low = p.low.data + r * w, *high = p.high.data + r * w;
      for (int64_t i = 0; i < w + taps; ++i) line[i] = x[wrap(i - taps, w)];
      for (int64_t o = 0; o < w; ++o) {
        const int64_t start = o + half;
        double sum_low = 0, sum_high = 0;
        if (start < w) {
          const double* window = line + taps + start;
          for (int64_t t = 0; t < taps; ++t) {
            sum_low += lo[t] * window[-t];
            sum_high += hi[t] * window[-t];
          }
        } else {
          for (int64_t i = 0; i < taps; ++i) {
            const int64_t t = tap_in_order(i, start, w);
            const double value = x[wrap(start - t, w)];
            sum_low += lo[t] * value;
            sum_high += hi[t] * value;
          }
        }
        low[o] = sum_low;
        high[o] = sum_high;
      }
    }
  });
}

static void along_columns(const StationaryWavelet& p) {
  const int64_t h = p.height, w = p.width, taps = p.taps, half = taps / 2;
  parallel_for(h, 8, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      double* __restrict low = p.low.data + o * w;  // apart, so that the loops may be vectorised
      double* __restrict high = p.high.data + o * w;
      for (int64_t c = 0; c < w; ++c) low[c] = high[c] = 0;
      const int64_t start = o + half;
      for (int64_t i = 0; i < taps; ++i) {
        const int64_t t = tap_in_order(i, start, h);
        const double lo = p.low_taps.data[t], hi = p.high_taps.data[t];
        const double* __restrict x = p.x.data + wrap(start - t, h) * w;
        for (int64_t c = 0; c < w; ++c) {
          low[c] += lo * x[c];
          high[c] += hi * x[c];
        }
      }
    }
  });
}

void stationary_wavelet(const StationaryWavelet& p) {
  if (p.taps < 1 || p.taps > 1024) throw KernelError("UAM_ARGUMENT", "taps must be from 1 to 1024");
  if (p.height == 0 || p.width == 0) return;
  p.axis == PlaneAxis::x ? along_rows(p) : along_columns(p);
}

}  // namespace uam::cpu
