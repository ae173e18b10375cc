// One level of the stationary (undecimated, periodic) wavelet transform of a plane along its rows (axis x) or columns (axis y), as
// pywt.swt makes it. Along a line of `length` values, with h = taps / 2:
//   low[o]  = sum over t of low_taps[t]  x[(o + h - t) mod length]
//   high[o] = sum over t of high_taps[t] x[(o + h - t) mod length]
// summed in pywt's order, so that values on the edge of a grey-level bin fall on its side: t rises, but where the window runs past the
// end of the line (o + h >= length) the taps there come first, falling.
#pragma once
#include "params.h"
#include "kernels/recursive_gaussian.h"

namespace uam {

struct StationaryWavelet {
  int64_t height, width, taps;
  PlaneAxis axis;
  In<double> low_taps, high_taps;  // [taps]
  In<double> x;                    // [height, width]
  Out<double> low, high;           // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("taps", taps);
    v.choice("axis", axis, int(PlaneAxis::count));
    v.array("lowTaps", low_taps, {taps});
    v.array("highTaps", high_taps, {taps});
    v.array("x", x, {height, width});
    v.array("low", low, {height, width});
    v.array("high", high, {height, width});
  }
};

}  // namespace uam
