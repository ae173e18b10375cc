#include "kernels/unary.h"

#include "launch.cuh"

namespace uam::cuda {

__global__ void unary_fwd_kernel(UnaryOp op, int64_t n, const float* x, float* y) {
  for (int64_t i = first_element(); i < n; i += element_step()) y[i] = unary_value(op, x[i]);
}

__global__ void unary_bwd_kernel(UnaryOp op, int64_t n, const float* x, const float* dy, float* dx) {
  for (int64_t i = first_element(); i < n; i += element_step()) dx[i] = dy[i] * unary_slope(op, x[i]);
}

void unary_fwd(const UnaryFwd& p) {
  const Staged x(p.x);
  Staged y(p.y);
  launch(p.n, unary_fwd_kernel, p.op, p.n, x.data(), y.data());
  y.finish();
}

void unary_bwd(const UnaryBwd& p) {
  const Staged x(p.x), dy(p.dy);
  Staged dx(p.dx);
  launch(p.n, unary_bwd_kernel, p.op, p.n, x.data(), dy.data(), dx.data());
  dx.finish();
}

}  // namespace uam::cuda
