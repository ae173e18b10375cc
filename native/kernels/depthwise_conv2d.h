// Depthwise 2-D convolution, channels last: every channel has its own kernel, so the geometry has groups = channels and
// one image and one grid channel in each group (see conv_geometry.h).
//   forward   y[n, gy, gx, c] = bias[c] + sum over ky, kx of weight[c, ky, kx] * x[n, iy, ix, c]
//   backward  dx[n, iy, ix, c]    = sum over the (gy, ky), (gx, kx) that touch (iy, ix) of weight[c, ky, kx] * dy[n, gy, gx, c]
//             dweight[c, ky, kx]  = sum over n, gy, gx of dy[n, gy, gx, c] * x[n, iy, ix, c]
//             dbias[c]            = sum over n, gy, gx of dy[n, gy, gx, c]
#pragma once
#include "conv_geometry.h"

namespace uam {

struct DepthwiseConv2dFwd {
  ConvGeometry geometry;
  In<float> x;       // [batch, image_height, image_width, channels]
  In<float> weight;  // [channels, kernel_height, kernel_width]
  In<float> bias;    // [channels], optional
  Out<float> y;      // [batch, grid_height, grid_width, channels]
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.image_height, g.image_width, g.groups});
    v.array("weight", weight, {g.groups, g.kernel_height, g.kernel_width});
    v.optional("bias", bias, {g.groups});
    v.array("y", y, {g.batch, g.grid_height, g.grid_width, g.groups});
  }
};

struct DepthwiseConv2dBwdInput {
  ConvGeometry geometry;
  In<float> dy;      // [batch, grid_height, grid_width, channels]
  In<float> weight;  // [channels, kernel_height, kernel_width]
  Out<float> dx;     // [batch, image_height, image_width, channels]
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("dy", dy, {g.batch, g.grid_height, g.grid_width, g.groups});
    v.array("weight", weight, {g.groups, g.kernel_height, g.kernel_width});
    v.array("dx", dx, {g.batch, g.image_height, g.image_width, g.groups});
  }
};

struct DepthwiseConv2dBwdWeight {
  ConvGeometry geometry;
  In<float> x;         // [batch, image_height, image_width, channels]
  In<float> dy;        // [batch, grid_height, grid_width, channels]
  Out<float> dweight;  // [channels, kernel_height, kernel_width], optional
  Out<float> dbias;    // [channels], optional
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.image_height, g.image_width, g.groups});
    v.array("dy", dy, {g.batch, g.grid_height, g.grid_width, g.groups});
    v.optional("dWeight", dweight, {g.groups, g.kernel_height, g.kernel_width});
    v.optional("dBias", dbias, {g.groups});
  }
};

}  // namespace uam
