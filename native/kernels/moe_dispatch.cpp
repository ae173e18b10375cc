#include "kernels/moe_dispatch.h"

#include "moe_slots.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/moe_dispatch.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline int64_t rows_per_block(int64_t width) { return (1 << 14) / (width + 1) + 1; }

void moe_dispatch_fwd(const MoeDispatchFwd& p) {
  parallel_for(p.slots, rows_per_block(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const float* x = p.x.data + p.order.data[s] / p.k * p.width;
      float* row = p.rows.data + s * p.width;
      for (int64_t i = 0; i < p.width; i += W) {
        const int lanes = p.width - i < W ? int(p.width - i) : W;
        store_up_to(row + i, load_up_to(x + i, lanes), lanes);
      }
    }
  });
}

void moe_dispatch_bwd(const MoeDispatchBwd& p) {
  parallel_for(p.tokens, rows_per_block(p.width * p.k), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    MoeSlot* slots = scratch.take<MoeSlot>(p.k);
    for (int64_t t = begin; t < end; ++t) {
      const int64_t count = slots_of_token(p.slot.data, t, p.k, p.slots, slots);
      for (int64_t i = 0; i < p.width; i += W) {
        const int lanes = p.width - i < W ? int(p.width - i) : W;
        vf total = set1(0.f);
        for (int64_t c = 0; c < count; ++c) total += load_up_to(p.drows.data + slots[c].row * p.width + i, lanes);
        store_up_to(p.dx.data + t * p.width + i, total, lanes);
      }
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

// A counting sort: one pass counts, the second gives slots in order of (token, choice).
static void sort_by_expert(const MoeDispatchFwd& p) {
  const int64_t choices = p.tokens * p.k;
  Scratch scratch;
  int32_t* expert_of = scratch.take<int32_t>(choices);  // -1 where dropped
  int64_t* next = scratch.take<int64_t>(p.experts + 1);
  for (int64_t e = 0; e <= p.experts; ++e) next[e] = 0;
  for (int64_t i = 0; i < choices; ++i) {
    const int32_t expert = p.indices.data[i];
    if (expert < 0 || expert >= p.experts) reject_index("indices", i, expert, p.experts);
    expert_of[i] = !p.kept || p.kept.data[i] ? expert : -1;
    if (expert_of[i] >= 0) ++next[expert + 1];
  }
  for (int64_t e = 0; e < p.experts; ++e) next[e + 1] += next[e];
  if (next[p.experts] != p.slots)
    throw KernelError("UAM_SHAPE", "slots must be the number of kept choices (" + std::to_string(next[p.experts]) + "), received " +
                                       std::to_string(p.slots));
  for (int64_t e = 0; e <= p.experts; ++e) p.offsets.data[e] = int32_t(next[e]);
  for (int64_t i = 0; i < choices; ++i) {
    p.slot.data[i] = expert_of[i] < 0 ? -1 : int32_t(next[expert_of[i]]++);
    if (expert_of[i] >= 0) p.order.data[p.slot.data[i]] = int32_t(i);
  }
}

void moe_dispatch_fwd(const MoeDispatchFwd& p) {
  sort_by_expert(p);
  UAM_BEST(moe_dispatch_fwd)(p);
}

void moe_dispatch_bwd(const MoeDispatchBwd& p) { UAM_BEST(moe_dispatch_bwd)(p); }

}  // namespace uam::cpu
#endif
