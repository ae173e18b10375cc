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
