#include "kernels/gate_mix.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/gate_mix.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 14;  // columns per task

// Calls visit(first column, number of them, a vector of their gates): vectors of one group, or with groups of one column, of many.
template <class Visit> UAM_INLINE void for_columns(int64_t groups, int64_t width, const float* gate, int64_t group, Visit&& visit) {
  const int64_t first = width == 1 ? 0 : group * width, count = width == 1 ? groups : width;
  for (int64_t c = 0; c < count; c += W) {
    const int here = count - c < W ? int(count - c) : W;
    visit(first + c, here, width == 1 ? load_up_to(gate + c, here) : set1(gate[group]));
  }
}

void gate_mix_fwd(const GateMixFwd& p) {
  const int64_t columns = p.groups * p.width, steps = p.width == 1 ? 1 : p.groups;
  parallel_for(p.rows, kBlock / (columns + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float *a = p.a.data + i * columns, *b = p.b.data + i * columns;
      float* y = p.y.data + i * columns;
      for (int64_t h = 0; h < steps; ++h)
        for_columns(p.groups, p.width, p.gate.data + i * p.groups, h, [&](int64_t c, int n, vf g) {
          store_up_to(y + c, g * load_up_to(a + c, n) + (set1(1.f) - g) * load_up_to(b + c, n), n);
        });
    }
  });
}

void gate_mix_bwd(const GateMixBwd& p) {
  const int64_t columns = p.groups * p.width, steps = p.width == 1 ? 1 : p.groups;
  parallel_for(p.rows, kBlock / (columns + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i * columns;
      for (int64_t h = 0; h < steps; ++h) {
        vf total = set1(0.f);
        for_columns(p.groups, p.width, p.gate.data + i * p.groups, h, [&](int64_t c, int n, vf g) {
          const int64_t at = row + c;
          const vf dy = load_up_to(p.dy.data + at, n);
          if (p.d_a) store_up_to(p.d_a.data + at, g * dy, n);
          if (p.d_b) store_up_to(p.d_b.data + at, (set1(1.f) - g) * dy, n);
          if (!p.d_gate) return;
          const vf d = dy * (load_up_to(p.a.data + at, n) - load_up_to(p.b.data + at, n));
          if (p.width == 1) store_up_to(p.d_gate.data + i * p.groups + c, d, n);
          else total += d;
        });
        if (p.d_gate && p.width != 1) p.d_gate.data[i * p.groups + h] = sum(total);
      }
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void gate_mix_fwd(const GateMixFwd& p) { UAM_BEST(gate_mix_fwd)(p); }
void gate_mix_bwd(const GateMixBwd& p) { UAM_BEST(gate_mix_bwd)(p); }
}  // namespace uam::cpu
#endif
