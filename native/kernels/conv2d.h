// 2-D convolution (cross-correlation), channels last. With the image and grid of conv_geometry.h,
//   forward   y[n, gy, gx, g, o] = bias[g, o] + sum over ky, kx, i of weight[g, o, ky, kx, i] * x[n, iy, ix, g, i]
//   backward  dx[n, iy, ix, g, i]        = sum over the (gy, ky), (gx, kx) that touch (iy, ix), and o, of weight * dy
//             dweight[g, o, ky, kx, i]   = sum over n, gy, gx of dy[n, gy, gx, g, o] * x[n, iy, ix, g, i]
//             dbias[g, o]                = sum over n, gy, gx of dy[n, gy, gx, g, o]
// image = [batch, image_height, image_width, groups, image_channels], grid likewise,
// weight = [groups, grid_channels, kernel_height, kernel_width, image_channels].
#pragma once
#include "conv_geometry.h"

namespace uam {

struct Conv2dFwd {
  ConvGeometry geometry;
  In<float> x;       // image
  In<float> weight;  // weight
  In<float> bias;    // [groups, grid_channels], optional
  Out<float> y;      // grid
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
    v.array("weight", weight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.optional("bias", bias, {g.groups, g.grid_channels});
    v.array("y", y, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
  }
};

struct Conv2dBwdInput {
  ConvGeometry geometry;
  In<float> dy;      // grid
  In<float> weight;  // weight
  Out<float> dx;     // image
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("dy", dy, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
    v.array("weight", weight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.array("dx", dx, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
  }
};

struct Conv2dBwdWeight {
  ConvGeometry geometry;
  In<float> x;         // image
  In<float> dy;        // grid
  Out<float> dweight;  // weight, optional
  Out<float> dbias;    // [groups, grid_channels], optional
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
    v.array("dy", dy, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
    v.optional("dWeight", dweight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.optional("dBias", dbias, {g.groups, g.grid_channels});
  }
};

}  // namespace uam
