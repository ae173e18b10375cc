#include "kernels/conv_transpose2d.h"

#include "bias_activation_sums.cuh"

#include "conv2d_gather.cuh"

namespace uam::cuda {

void conv_transpose2d_fwd(const ConvTranspose2dFwd& p) {
  Call call;
  grid_to_image(call, p.geometry, call.in(p.x), call.in(p.weight), call.in(p.bias), call.out(p.y));
  call.finish();
}

void conv_transpose2d_bwd_input(const ConvTranspose2dBwdInput& p) {
  Call call;
  image_to_grid(call, p.geometry, call.in(p.dy), call.in(p.weight), nullptr, call.out(p.dx));
  call.finish();
}

void conv_transpose2d_bwd_weight(const ConvTranspose2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  Call call;
  const float *x = call.in(p.x), *dy = call.in(p.dy);
  float *dweight = call.out(p.dweight), *dbias = call.out(p.dbias);
  if (dweight) conv_weight_gradient(call, g, dy, x, dweight);
  if (dbias) channel_sums(call, dy, g.batch * g.image_height * g.image_width, g.groups * g.image_channels, dbias);
  call.finish();
}

}  // namespace uam::cuda
