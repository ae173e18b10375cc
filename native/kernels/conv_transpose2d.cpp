#include "kernels/conv_transpose2d.h"

#include <algorithm>
#include <cstring>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/conv_transpose2d.cpp"
#include "simd.h"

#include "channel_sums.h"
#include "conv_core.h"

namespace uam::cpu::UAM_ISA {

void conv_transpose2d_fwd(const ConvTranspose2dFwd& p) { grid_to_image(p.geometry, p.x.data, p.weight.data, p.bias.data, p.y.data); }

void conv_transpose2d_bwd_input(const ConvTranspose2dBwdInput& p) {
  image_to_grid(p.geometry, p.dy.data, p.weight.data, nullptr, p.dx.data);
}

void conv_transpose2d_bwd_weight(const ConvTranspose2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  if (p.dweight) weight_gradient(g, p.dy.data, p.x.data, p.dweight.data);
  if (p.dbias) channel_sums(p.dy.data, g.batch * g.image_height * g.image_width, g.groups * g.image_channels, p.dbias.data);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

void conv_transpose2d_fwd(const ConvTranspose2dFwd& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv_transpose2d_fwd)(p);
}

void conv_transpose2d_bwd_input(const ConvTranspose2dBwdInput& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv_transpose2d_bwd_input)(p);
}

void conv_transpose2d_bwd_weight(const ConvTranspose2dBwdWeight& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv_transpose2d_bwd_weight)(p);
}

}  // namespace uam::cpu
#endif
