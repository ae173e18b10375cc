#include "kernels/neighbor_attention.h"

#include <atomic>
#include <utility>

#include "kernels/neighbor_attention_plan.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/neighbor_attention.cpp"
#include "simd.h"
#include "kernels/attention_tile.h"
#include "kernels/neighbor_attention_block.h"
#include "kernels/neighbor_attention_list.h"

namespace uam::cpu::UAM_ISA {
namespace attention {

// Whether every number is finite: x - x is 0, or else NaN.
inline bool all_finite(const float* x, int64_t count) {
  constexpr int64_t kBlock = 1 << 14;
  std::atomic<bool> finite{true};
  parallel_for((count + kBlock - 1) / kBlock, 4, [&](int64_t begin, int64_t end) {
    const int64_t last = end * kBlock < count ? end * kBlock : count;
    vf rest[4] = {};
    int64_t i = begin * kBlock;
    for (; i + 4 * W <= last; i += 4 * W)
      for (int chain = 0; chain < 4; ++chain) {
        const vf here = load(x + i + chain * W);
        rest[chain] += here - here;
      }
    for (; i < last; i += W) {
      const vf here = load_n(x + i, at_most_a_vector(last - i));
      rest[0] += here - here;
    }
    if (sum(rest[0] + rest[1] + rest[2] + rest[3]) != 0.f) finite = false;
  });
  return finite;
}

inline bool all_finite(const NeighborProblem& p) {
  return all_finite(p.q.data, p.q.size) && all_finite(p.k.data, p.k.size) && all_finite(p.v.data, p.v.size) &&
         (!p.slopes || (all_finite(p.slopes.data, p.slopes.size) && all_finite(p.distances.data, p.distances.size)));
}

}  // namespace attention

void neighbor_attention_fwd(const NeighborAttentionFwd& p) {
  Scratch scratch;
  const NeighborRuns plan = p.heads > 0 && attention::all_finite(p) ? neighbor_runs(p, W, scratch) : NeighborRuns{};
  if (plan.runs > 0) attention::forward_runs(p, plan);
  else attention::forward_lists(p);
}

void neighbor_attention_bwd(const NeighborAttentionBwd& p) {
  Scratch scratch;
  const bool finite = p.heads > 0 && attention::all_finite(p) && attention::all_finite(p.d_out.data, p.d_out.size);
  const NeighborRuns plan = finite ? neighbor_runs(p, W, scratch) : NeighborRuns{};
  const int64_t parts = plan.runs > 0 ? plan.runs : p.tokens_q;
  float* slope_parts = scratch.take<float>(parts * p.heads);
  if (plan.runs > 0) attention::backward_runs(p, plan, slope_parts);
  else attention::backward_lists(p, p.d_k || p.d_v ? incoming_edges(p, scratch) : IncomingEdges{}, slope_parts);
  if (!p.d_slopes) return;
  for (int64_t head = 0; head < p.heads; ++head) {
    double total = 0;
    for (int64_t part = 0; part < parts; ++part) total += double(slope_parts[part * p.heads + head]);
    p.d_slopes.data[head] = float(total);
  }
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

void neighbor_attention_fwd(const NeighborAttentionFwd& given) {
  Scratch scratch;
  NeighborAttentionFwd p = given;
  p.indices.data = checked_indices(p, scratch);
  UAM_BEST(neighbor_attention_fwd)(p);
}

void neighbor_attention_bwd(const NeighborAttentionBwd& given) {
  Scratch scratch;
  NeighborAttentionBwd p = given;
  p.indices.data = checked_indices(p, scratch);
  UAM_BEST(neighbor_attention_bwd)(p);
}

}  // namespace uam::cpu
#endif
