#include "kernels/moe_combine.h"

#include "index_error.h"
#include "moe_slots.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/moe_combine.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline int64_t rows_per_block(int64_t width) { return (1 << 14) / (width + 1) + 1; }

UAM_INLINE float dot(const float* a, const float* b, int64_t n) {
  vf even = set1(0.f), odd = set1(0.f);
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    even = fma(load(a + i), load(b + i), even);
    odd = fma(load(a + i + W), load(b + i + W), odd);
  }
  for (; i < n; i += W) {
    const int lanes = n - i < W ? int(n - i) : W;
    even = fma(load_up_to(a + i, lanes), load_up_to(b + i, lanes), even);
  }
  return sum(even + odd);
}

void moe_combine_fwd(const MoeCombineFwd& p) {
  parallel_for(p.tokens, rows_per_block(p.width * p.k), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    MoeSlot* slots = scratch.take<MoeSlot>(p.k);
    for (int64_t t = begin; t < end; ++t) {
      const int64_t count = slots_of_token(p.slot.data, t, p.k, p.slots, slots);
      for (int64_t i = 0; i < p.width; i += W) {
        const int lanes = p.width - i < W ? int(p.width - i) : W;
        vf total = set1(0.f);
        for (int64_t c = 0; c < count; ++c)
          total = fma(set1(p.weights.data[slots[c].choice]), load_up_to(p.rows.data + slots[c].row * p.width + i, lanes), total);
        store_up_to(p.out.data + t * p.width + i, total, lanes);
      }
    }
  });
}

static void rows_backward(const MoeCombineBwd& p) {
  parallel_for(p.slots, rows_per_block(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const int32_t choice = p.order.data[s];
      if (choice < 0 || choice >= p.tokens * p.k) reject_index("order", s, choice, p.tokens * p.k);
      const vf weight = set1(p.weights.data[choice]);
      const float* dout = p.dout.data + choice / p.k * p.width;
      float* drow = p.drows.data + s * p.width;
      for (int64_t i = 0; i < p.width; i += W) {
        const int lanes = p.width - i < W ? int(p.width - i) : W;
        store_up_to(drow + i, weight * load_up_to(dout + i, lanes), lanes);
      }
    }
  });
}

static void weights_backward(const MoeCombineBwd& p) {
  parallel_for(p.tokens, rows_per_block(p.width * p.k), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    MoeSlot* slots = scratch.take<MoeSlot>(p.k);
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t choice = t * p.k; choice < (t + 1) * p.k; ++choice) p.dweights.data[choice] = 0.f;
      const int64_t count = slots_of_token(p.slot.data, t, p.k, p.slots, slots);
      for (int64_t c = 0; c < count; ++c)
        p.dweights.data[slots[c].choice] = dot(p.rows.data + slots[c].row * p.width, p.dout.data + t * p.width, p.width);
    }
  });
}

void moe_combine_bwd(const MoeCombineBwd& p) {
  if (p.drows) rows_backward(p);
  if (p.dweights) weights_backward(p);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void moe_combine_fwd(const MoeCombineFwd& p) { UAM_BEST(moe_combine_fwd)(p); }
void moe_combine_bwd(const MoeCombineBwd& p) { UAM_BEST(moe_combine_bwd)(p); }
}  // namespace uam::cpu
#endif
