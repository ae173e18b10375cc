#include "kernels/adamw.h"

#include <cmath>

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/adamw.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 14;  // elements per task

// The step's constants. The moments move as m += (1 - beta) (g - m): a gradient that stays the same is then a fixed
// point in float32 too, which beta * m + (1 - beta) * g with rounded constants is not.
struct Constants {
  vf scale, keep1, keep2, decay, rate, correction, eps;
  explicit Constants(const Adamw& a)
      : scale(set1(float(a.gradient_scale))),
        keep1(set1(float(1 - a.beta1))),
        keep2(set1(float(1 - a.beta2))),
        decay(set1(float(a.rate * a.weight_decay))),
        rate(set1(float(a.rate / (1 - std::pow(a.beta1, double(a.step)))))),
        correction(set1(float(1 / std::sqrt(1 - std::pow(a.beta2, double(a.step)))))),
        eps(set1(float(a.eps))) {}
};

UAM_INLINE void update(const Adamw& a, const Constants& k, int64_t i, int n) {
  const vf g = load_up_to(a.g.data + i, n) * k.scale, p = load_up_to(a.p.data + i, n);
  const vf m0 = load_up_to(a.m.data + i, n), v0 = load_up_to(a.v.data + i, n);
  const vf m = fma(k.keep1, g - m0, m0), v = fma(k.keep2, fma(g, g, -v0), v0);
  vf second = v;
  if (a.v_max) {
    second = max_of(load_up_to(a.v_max.data + i, n), v);
    store_up_to(a.v_max.data + i, second, n);
  }
  const vf shrunk = fnma(k.decay, p, p);
  store_up_to(a.p.data + i, shrunk - k.rate * m / fma(sqrt(second), k.correction, k.eps), n);
  store_up_to(a.m.data + i, m, n);
  store_up_to(a.v.data + i, v, n);
}

void adamw(const Adamw& a) {
  const Constants constants(a);
  parallel_for(a.n, kBlock, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + W <= end; i += W) update(a, constants, i, W);
    if (i < end) update(a, constants, i, int(end - i));
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

void adamw(const Adamw& a) {
  if (a.step < 1) throw KernelError("UAM_ARGUMENT", "step must count from 1, received " + std::to_string(a.step));
  UAM_BEST(adamw)(a);
}

}  // namespace uam::cpu
#endif
