#include "kernels/dropout.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/dropout.cpp"
#include "simd.h"

#include "philox.h"

namespace uam::cpu::UAM_ISA {

void dropout(const Dropout& p) {
  const float scale = 1.f / (1.f - p.rate);
  parallel_for((p.n + kGroup - 1) / kGroup, 128, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kGroup];
    const vf keep_from = set1(p.rate), factor = set1(scale);
    for (int64_t group = begin; group < end; ++group) {
      philox_group(p.seed, p.step, p.stream, uint64_t(group), words);
      const int64_t first = group * kGroup;
      const int count = int(p.n - first < kGroup ? p.n - first : kGroup);
      const float* x = p.x.data + first;
      float* y = p.y.data + first;
      int i = 0;
      for (; i + W <= count; i += W) {
        const vf u = to_float(loadi(reinterpret_cast<const int32_t*>(words) + i) >> 8 & set1i(0xFFFFFF)) * set1(kUnit);
        store(y + i, select(u >= keep_from, load(x + i) * factor, set1(0.f)));
      }
      for (; i < count; ++i) y[i] = unit(words[i]) >= p.rate ? x[i] * scale : 0.f;
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void dropout(const Dropout& p) { UAM_BEST(dropout)(p); }
}  // namespace uam::cpu
#endif
