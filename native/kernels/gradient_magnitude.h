// The length of the gradient of a plane by central differences, as ITK's GradientMagnitudeImageFilter: the plane goes on beyond its
// edges with the values of the edge, and the result is rounded to float32.
//   y = float32(sqrt(gx^2 + gy^2)),  gx = (x[r, c + 1] - x[r, c - 1]) / 2 / spacing_x,  gy = (x[r + 1, c] - x[r - 1, c]) / 2 / spacing_y
#pragma once
#include "params.h"

namespace uam {

struct GradientMagnitude {
  int64_t height, width;
  double spacing_x, spacing_y;  // > 0
  In<double> x;                 // [height, width]
  Out<double> y;                // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.number("spacingX", spacing_x);
    v.number("spacingY", spacing_y);
    v.array("x", x, {height, width});
    v.array("y", y, {height, width});
  }
};

}  // namespace uam
