#include "kernels/unary.h"

#include "call.cuh"

namespace uam::cuda {

__global__ void unary_fwd_kernel(UnaryOp op, int64_t n, const float* x, float* y) {
  for (int64_t i = first_element(); i < n; i += element_step()) y[i] = unary_value(op, x[i]);
}

__global__ void unary_bwd_kernel(UnaryOp op, int64_t n, const float* x, const float* dy, float* dx) {
  for (int64_t i = first_element(); i < n; i += element_step()) dx[i] = dy[i] * unary_slope(op, x[i]);
}

void unary_fwd(const UnaryFwd& p) {
  Call call;
  const float* x = call.in(p.x);
  float* y = call.out(p.y);
  call.launch_elements(p.n, unary_fwd_kernel, p.op, p.n, x, y);
  call.finish();
}

void unary_bwd(const UnaryBwd& p) {
  Call call;
  const float *x = call.in(p.x), *dy = call.in(p.dy);
  float* dx = call.out(p.dx);
  call.launch_elements(p.n, unary_bwd_kernel, p.op, p.n, x, dy, dx);
  call.finish();
}

}  // namespace uam::cuda
