// A plane smoothed by a symmetric window along x and then along y:
//   row[y, x] = w[0] in[y, x] + sum over k = 1 .. radius, in rising k, of w[k] (in[y, x - k] + in[y, x + k])
//   out[y, x] = w[0] row[y, x] + sum over k of w[k] (row[y - k, x] + row[y + k, x])
// Every operation in float32. Beyond its edges the image is mirrored (... 1 0 | 0 1 2 ...), as often as the radius needs.
#pragma once
#include "params.h"

namespace uam {

struct GaussianBlur {
  int64_t height, width, taps;
  In<float> plane;    // [height, width]
  In<float> weights;  // [taps]: w[0], w[1], ..., w[radius]
  Out<float> out;     // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("taps", taps);
    v.array("plane", plane, {height, width});
    v.array("weights", weights, {taps});
    v.array("out", out, {height, width});
  }
};

}  // namespace uam
