// Values of feature maps at points, channels last. Point p lies in map image[p] at column x and row y, in pixels, with
// whole numbers at pixel centres; outside the map the nearest border pixel continues. With (x, y) clamped to the map,
// i = floor(y), j = floor(x), v = y - i, u = x - j, and the second row or column held inside the map:
//   forward   out[p, c] = (1-v) ((1-u) m[i, j, c] + u m[i, j+1, c]) + v ((1-u) m[i+1, j, c] + u m[i+1, j+1, c])
//   backward  dmap adds dout times those weights, the points of a pixel in rising order;
//             dpoints[p] = (d out / d x, d out / d y) . dout[p]; a coordinate beyond the map has derivative 0, and at a
//             pixel centre the derivative is that of the cell to the right or below.
// A NaN coordinate makes its output NaN.
#pragma once
#include "params.h"

namespace uam {

// One coordinate of a point: the two pixels around it and the weight of the second.
struct Between {
  int64_t low, high;
  float part;
  bool inside;  // not beyond the border, where the value stops changing

  UAM_HD Between(float at, int64_t length) {
    const float last = float(length - 1);
    inside = !(at < 0.f) && !(at > last);
    const float clamped = at < 0.f ? 0.f : at > last ? last : at;
    low = clamped == clamped ? int64_t(clamped) : 0;
    if (low > length - 1) low = length - 1;
    high = low + 1 < length ? low + 1 : length - 1;
    part = clamped - float(low);
  }
};

struct SampleBilinearFwd {
  int64_t batch, height, width, channels, points;
  In<float> map;       // [batch, height, width, channels]
  In<float> position;  // [points, 2]: x, y
  In<int32_t> image;   // [points]
  Out<float> out;      // [points, channels]
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("height", height);
    v.dim("width", width);
    v.dim("channels", channels);
    v.dim("points", points);
    v.array("map", map, {batch, height, width, channels});
    v.array("position", position, {points, 2});
    v.array("image", image, {points});
    v.array("out", out, {points, channels});
  }
};

struct SampleBilinearBwd {
  int64_t batch, height, width, channels, points;
  In<float> map;         // [batch, height, width, channels]
  In<float> position;    // [points, 2]: x, y
  In<int32_t> image;     // [points]
  In<float> dout;        // [points, channels]
  Out<float> dmap;       // [batch, height, width, channels], optional
  Out<float> dposition;  // [points, 2], optional
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("height", height);
    v.dim("width", width);
    v.dim("channels", channels);
    v.dim("points", points);
    v.array("map", map, {batch, height, width, channels});
    v.array("position", position, {points, 2});
    v.array("image", image, {points});
    v.array("dOut", dout, {points, channels});
    v.optional("dMap", dmap, {batch, height, width, channels});
    v.optional("dPosition", dposition, {points, 2});
  }
};

}  // namespace uam
