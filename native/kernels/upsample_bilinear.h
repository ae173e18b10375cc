// Bilinear resizing of images, channels last, as torch's interpolate(mode='bilinear').
//   forward   y[n, oy, ox, c] = sum over the two rows iy and two columns ix around the source point of wy * wx * x[n, iy, ix, c]
//   backward  dx = its transpose applied to dy
// Along each axis output o takes source coordinate s (clamped to the image):
//   align_corners      s = o * (in - 1) / (out - 1)        (0 where out is 1)
//   otherwise          s = (o + 1/2) * in / out - 1/2
// and with i = floor(s), l = s - i the weights are 1 - l at i and l at min(i + 1, in - 1).
#pragma once
#include "params.h"

namespace uam {

// Where output o of an axis looks: two source indices and the weight of the second; the first has 1 - part.
struct ResizeSource {
  int64_t low, high;
  float part;

  UAM_HD ResizeSource(int64_t o, int64_t in, int64_t out, bool align_corners) {
    const double at =
        align_corners ? (out > 1 ? double(o) * double(in - 1) / double(out - 1) : 0.0) : (double(o) + 0.5) * double(in) / double(out) - 0.5;
    const double last = double(in - 1), inside = at < 0.0 ? 0.0 : at > last ? last : at;
    low = int64_t(inside);
    high = low + 1 < in ? low + 1 : in - 1;
    part = float(inside - double(low));
  }
};

struct UpsampleBilinearFwd {
  int64_t batch, height, width, channels, out_height, out_width;
  bool align_corners;
  In<float> x;   // [batch, height, width, channels]
  Out<float> y;  // [batch, out_height, out_width, channels]
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("height", height);
    v.dim("width", width);
    v.dim("channels", channels);
    v.dim("outHeight", out_height);
    v.dim("outWidth", out_width);
    v.flag("alignCorners", align_corners);
    v.array("x", x, {batch, height, width, channels});
    v.array("y", y, {batch, out_height, out_width, channels});
  }
};

struct UpsampleBilinearBwd {
  int64_t batch, height, width, channels, out_height, out_width;
  bool align_corners;
  In<float> dy;   // [batch, out_height, out_width, channels]
  Out<float> dx;  // [batch, height, width, channels]
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("height", height);
    v.dim("width", width);
    v.dim("channels", channels);
    v.dim("outHeight", out_height);
    v.dim("outWidth", out_width);
    v.flag("alignCorners", align_corners);
    v.array("dy", dy, {batch, out_height, out_width, channels});
    v.array("dx", dx, {batch, height, width, channels});
  }
};

}  // namespace uam
