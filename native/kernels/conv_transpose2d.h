// 2-D transposed convolution, channels last: the adjoint of conv2d, so x lies on the grid and y on the image of
// conv_geometry.h.
//   forward   y[n, iy, ix, g, i] = bias[g, i] + sum over the (gy, ky), (gx, kx) that touch (iy, ix), and o, of
//                                  weight[g, o, ky, kx, i] * x[n, gy, gx, g, o]
//   backward  dx[n, gy, gx, g, o]      = sum over ky, kx, i of weight[g, o, ky, kx, i] * dy[n, iy, ix, g, i]
//             dweight[g, o, ky, kx, i] = sum over n, gy, gx of x[n, gy, gx, g, o] * dy[n, iy, ix, g, i]
//             dbias[g, i]              = sum over n, iy, ix of dy[n, iy, ix, g, i]
// grid = [batch, grid_height, grid_width, groups, grid_channels], image likewise,
// weight = [groups, grid_channels, kernel_height, kernel_width, image_channels].
#pragma once
#include "conv_geometry.h"

namespace uam {

struct ConvTranspose2dFwd {
  ConvGeometry geometry;
  In<float> x;       // grid
  In<float> weight;  // weight
  In<float> bias;    // [groups, image_channels], optional
  Out<float> y;      // image
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
    v.array("weight", weight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.optional("bias", bias, {g.groups, g.image_channels});
    v.array("y", y, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
  }
};

struct ConvTranspose2dBwdInput {
  ConvGeometry geometry;
  In<float> dy;      // image
  In<float> weight;  // weight
  Out<float> dx;     // grid
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("dy", dy, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
    v.array("weight", weight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.array("dx", dx, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
  }
};

struct ConvTranspose2dBwdWeight {
  ConvGeometry geometry;
  In<float> x;         // grid
  In<float> dy;        // image
  Out<float> dweight;  // weight, optional
  Out<float> dbias;    // [groups, image_channels], optional
  template <class V> void fields(V&& v) {
    ConvGeometry& g = geometry;
    g.fields(v);
    v.array("x", x, {g.batch, g.grid_height, g.grid_width, g.groups, g.grid_channels});
    v.array("dy", dy, {g.batch, g.image_height, g.image_width, g.groups, g.image_channels});
    v.optional("dWeight", dweight, {g.groups, g.grid_channels, g.kernel_height, g.kernel_width, g.image_channels});
    v.optional("dBias", dbias, {g.groups, g.image_channels});
  }
};

}  // namespace uam
