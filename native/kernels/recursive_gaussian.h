// A fourth-order recursive filter run forwards and backwards along the rows (axis x) or columns (axis y) of a plane: with the
// coefficients of Farneback & Westin, convolution with a Gaussian or its second derivative at a cost that does not grow with its width.
//   forwards   f[i] = sum over j = 0..3 of n[j] x[i - j]  -  sum over j = 1..4 of d[j] f[i - j]
//   backwards  b[i] = sum over j = 1..4 of m[j] x[i + j]  -  sum over j = 1..4 of d[j] b[i + j]
//   y[i] = (accumulate ? y[i] : 0) + scale (f[i] + b[i])
// Beyond its ends a line goes on with its end values; there f and b have settled at first * before and last * after.
#pragma once
#include "params.h"

namespace uam {

enum class PlaneAxis : int32_t { x, y, count };

struct RecursiveGaussian {
  int64_t height, width;
  PlaneAxis axis;
  bool accumulate;
  double scale;
  In<double> coefficients;  // [14]: n0..n3, d1..d4, m1..m4, before, after
  In<double> x;             // [height, width]
  Out<double> y;            // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.choice("axis", axis, int(PlaneAxis::count));
    v.flag("accumulate", accumulate);
    v.number("scale", scale);
    v.array("coefficients", coefficients, {14});
    v.array("x", x, {height, width});
    v.array("y", y, {height, width});
  }
};

}  // namespace uam
