#include "kernels/conv2d.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/conv2d.cpp"
#include "simd.h"

#include "channel_sums.h"
#include "conv_core.h"

#include "conv_winograd.h"  // after conv_core.h: it uses its tiles

namespace uam::cpu::UAM_ISA {

void conv2d_fwd(const Conv2dFwd& p) {
  if (!winograd_gather(gather_from_image(p.geometry, p.x.data, p.weight.data, p.bias.data, p.y.data)))
    image_to_grid(p.geometry, p.x.data, p.weight.data, p.bias.data, p.y.data);
}

void conv2d_bwd_input(const Conv2dBwdInput& p) {
  const bool one_phase = p.geometry.stride_y == 1 && p.geometry.stride_x == 1;
  if (!one_phase || !winograd_gather(gather_from_grid(p.geometry, 0, 0, p.dy.data, p.weight.data, nullptr, p.dx.data)))
    grid_to_image(p.geometry, p.dy.data, p.weight.data, nullptr, p.dx.data);
}

void conv2d_bwd_weight(const Conv2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  if (p.dweight && !winograd_weight_gradient(g, p.x.data, p.dy.data, p.dweight.data))
    weight_gradient(g, p.x.data, p.dy.data, p.dweight.data);
  if (p.dbias) channel_sums(p.dy.data, g.batch * g.grid_height * g.grid_width, g.groups * g.grid_channels, p.dbias.data);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

void conv2d_fwd(const Conv2dFwd& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv2d_fwd)(p);
}

void conv2d_bwd_input(const Conv2dBwdInput& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv2d_bwd_input)(p);
}

void conv2d_bwd_weight(const Conv2dBwdWeight& p) {
  check_geometry(p.geometry);
  UAM_BEST(conv2d_bwd_weight)(p);
}

}  // namespace uam::cpu
#endif
