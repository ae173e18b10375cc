#include "kernels/random.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/random.cpp"
#include "simd.h"

#include "philox.h"

namespace uam::cpu::UAM_ISA {

// sin and cos of 2 pi u for u in [0, 1): the nearest quarter turn is taken off, the rest has |angle| <= pi / 4.
UAM_INLINE void sin_cos_turn(vf u, vf& sine, vf& cosine) {
  const vf quarters = u * set1(4.f), q = nearest(quarters);
  const vf angle = (quarters - q) * set1(1.57079633f), a2 = angle * angle;
  vf s = set1(2.75573192e-6f);
  s = fma(s, a2, set1(-1.98412698e-4f));
  s = fma(s, a2, set1(8.33333333e-3f));
  s = fma(s, a2, set1(-1.66666667e-1f));
  s = fma(s * a2, angle, angle);
  vf c = set1(2.48015873e-5f);
  c = fma(c, a2, set1(-1.38888889e-3f));
  c = fma(c, a2, set1(4.16666667e-2f));
  c = fma(c, a2, set1(-0.5f));
  c = fma(c, a2, set1(1.f));
  const vi turn = to_int(q);
  const auto swapped = (turn & set1i(1)) == set1i(1);
  sine = select(swapped, c, s);
  cosine = select(swapped, s, c);
  sine = select((turn & set1i(2)) == set1i(2), -sine, sine);
  cosine = select(((turn + set1i(1)) & set1i(2)) == set1i(2), -cosine, cosine);
}

// A group's 64 uniform numbers, first half radii and second half angles, become 64 normal ones.
UAM_INLINE void to_normal(float* values) {
  for (int i = 0; i < kGroup / 2; i += W) {
    const vf u = load(values + i) + set1(5.9604644775390625e-8f);  // in (0, 1]
    const vf radius = sqrt(set1(-2.f) * log(u));
    vf sine, cosine;
    sin_cos_turn(load(values + kGroup / 2 + i), sine, cosine);
    store(values + i, radius * cosine);
    store(values + kGroup / 2 + i, radius * sine);
  }
}

void random(const Random& p) {
  parallel_for((p.n + kGroup - 1) / kGroup, 128, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kGroup];
    alignas(64) float values[kGroup];
    for (int64_t group = begin; group < end; ++group) {
      philox_group(p.seed, p.step, p.stream, uint64_t(group), words);
      for (int i = 0; i < kGroup; ++i) values[i] = unit(words[i]);
      if (p.distribution == Distribution::normal) to_normal(values);
      const int64_t first = group * kGroup, count = p.n - first < kGroup ? p.n - first : kGroup;
      std::memcpy(p.y.data + first, values, size_t(count) * sizeof(float));
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void random(const Random& p) { UAM_BEST(random)(p); }
}  // namespace uam::cpu
#endif
