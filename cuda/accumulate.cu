#include "kernels/accumulate.h"

#include "quads.cuh"

namespace uam::cuda {

template <bool kAligned> __global__ void accumulate_kernel(int64_t n, const float* x, float* y) {
  for_quads(n, [=](int64_t i, int64_t count) {
    const Quad from = load_quad<kAligned>(x + i, count);
    Quad to = load_quad<kAligned>(y + i, count);
#pragma unroll
    for (int k = 0; k < 4; ++k) to.v[k] += from.v[k];
    store_quad<kAligned>(y + i, to, count);
  });
}

void accumulate(const Accumulate& p) {
  Call call;
  const float* x = call.in(p.x);
  float* y = call.inout(p.y);
  call.launch_elements(quads_of(p.n), on_16_bytes(x, y) ? accumulate_kernel<true> : accumulate_kernel<false>, p.n, x, y);
  call.finish();
}

}  // namespace uam::cuda
