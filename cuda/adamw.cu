#include "kernels/adamw.h"

#include <cmath>

#include "quads.cuh"

namespace uam::cuda {

// The step's constants, as the CPU rounds them.
struct AdamwConstants {
  float scale, keep1, keep2, decay, rate, correction, eps;
};

template <bool kAligned> __global__ void adamw_kernel(int64_t n, AdamwConstants k, const float* gradients, float* parameters, float* first,
                                                      float* second, float* second_max) {
  for_quads(n, [=](int64_t i, int64_t count) {
    const Quad g0 = load_quad<kAligned>(gradients + i, count);
    Quad p = load_quad<kAligned>(parameters + i, count), m = load_quad<kAligned>(first + i, count),
         v = load_quad<kAligned>(second + i, count), most;
    if (second_max) most = load_quad<kAligned>(second_max + i, count);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float g = g0.v[j] * k.scale;
      m.v[j] = fmaf(k.keep1, g - m.v[j], m.v[j]);
      v.v[j] = fmaf(k.keep2, fmaf(g, g, -v.v[j]), v.v[j]);
      most.v[j] = most.v[j] > v.v[j] && second_max ? most.v[j] : v.v[j];
      const float shrunk = fmaf(-k.decay, p.v[j], p.v[j]);
      p.v[j] = shrunk - k.rate * m.v[j] / fmaf(sqrtf(most.v[j]), k.correction, k.eps);
    }
    if (second_max) store_quad<kAligned>(second_max + i, most, count);
    store_quad<kAligned>(parameters + i, p, count);
    store_quad<kAligned>(first + i, m, count);
    store_quad<kAligned>(second + i, v, count);
  });
}

void adamw(const Adamw& a) {
  if (a.step < 1) throw KernelError("UAM_ARGUMENT", "step must count from 1, received " + std::to_string(a.step));
  const AdamwConstants constants{float(a.gradient_scale),
                                 float(1 - a.beta1),
                                 float(1 - a.beta2),
                                 float(a.rate * a.weight_decay),
                                 float(a.rate / (1 - std::pow(a.beta1, double(a.step)))),
                                 float(1 / std::sqrt(1 - std::pow(a.beta2, double(a.step)))),
                                 float(a.eps)};
  Call call;
  const float* g = call.in(a.g);
  float *p = call.inout(a.p), *m = call.inout(a.m), *v = call.inout(a.v), *v_max = call.inout(a.v_max);
  call.launch_elements(quads_of(a.n), on_16_bytes(g, p, m, v, v_max) ? adamw_kernel<true> : adamw_kernel<false>, a.n, constants, g, p, m, v,
                       v_max);
  call.finish();
}

}  // namespace uam::cuda
