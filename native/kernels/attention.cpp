#include "kernels/attention.h"

#include <utility>

#include "kernels/attention_plan.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/attention.cpp"
#include "simd.h"
#include "kernels/attention_tile.h"
#include "kernels/attention_block.h"

namespace uam::cpu::UAM_ISA {
namespace attention {

// The running softmax of a block of queries; queries are the columns, `ld` of them with padding.
struct Softmax {
  int64_t ld;
  const float* q;        // [dim, ld], scaled
  float *highest, *sum;  // [ld]
  float* out;            // [dim_v rounded up to kRows, ld], not yet divided by sum
};

// Rows of scores become exp(score - highest); a new highest rescales what was summed before. Returns the factors.
template <int N> UAM_INLINE void exp_scores(float* scores, int64_t count, float* highest, float* sum, vf (&rescale)[N]) {
  vf top[N], total[N];
  for (int n = 0; n < N; ++n) top[n] = load(highest + n * W);
  for (int64_t j = 0; j < count; ++j)
#pragma GCC unroll 3
    for (int n = 0; n < N; ++n) top[n] = max_of(load(scores + (j * N + n) * W), top[n]);
  for (int n = 0; n < N; ++n) {
    const vf before = load(highest + n * W);
    store(highest + n * W, top[n]);
    top[n] = select(top[n] == set1(-__builtin_inff()), set1(0.f), top[n]);  // nothing visible yet: exp(-inf - 0) = 0
    rescale[n] = exp_negative(before - top[n]);
    total[n] = load(sum + n * W) * rescale[n];
  }
  for (int64_t j = 0; j < count; ++j)
#pragma GCC unroll 3
    for (int n = 0; n < N; ++n) {
      float* s = scores + (j * N + n) * W;
      const vf e = exp_negative(load(s) - top[n]);
      store(s, e);
      total[n] += e;
    }
  for (int n = 0; n < N; ++n) store(sum + n * W, total[n]);
}

struct ForwardHead {
  const AttentionProblem& p;
  const Keys& keys;
  const float* bias;
  int64_t shift;  // Lk - Lq
  float* scores;  // [kForwardKeys, kColumns * W]
};

// One block of keys against one strip of queries (N vectors from lane `lane` of the block on).
template <int N> inline void forward_strip(const ForwardHead& f, const Strip& strip, const Softmax& state, int64_t lane) {
  const AttentionProblem& p = f.p;
  const Keys& keys = f.keys;
  multiply_strip<N, Rows::plain, Start::zero>(keys.k + strip.first_key * keys.ld_k, keys.ld_k, state.q + lane, state.ld, f.scores, N * W, strip.count, p.dim);
  if (f.bias) add_bias<N>(keys, strip, f.bias, p.length_k, f.scores, N * W);
  if (p.causal) hide_future<N>(keys, strip, f.shift, f.scores, N * W);
  vf rescale[N];
  exp_scores<N>(f.scores, strip.count, state.highest + lane, state.sum + lane, rescale);
  multiply_strip<N, Rows::transposed, Start::rescale>(keys.v + strip.first_key * keys.ld_v, keys.ld_v, f.scores, N * W, state.out + lane, state.ld, p.dim_v,
                                                      strip.count, rescale);
}

// out = sum / total, lse = highest + log(total); rows that saw nothing give 0 and -inf.
inline void finish_queries(const AttentionFwd& p, int64_t token, int64_t head, int64_t queries, const Softmax& state) {
  float* lse = p.lse.data + head * p.tokens_q + token;
  for (int64_t i = 0; i < queries; i += W) {
    const vf total = load(state.sum + i), top = load(state.highest + i);
    store_n(lse + i, select(top == set1(__builtin_inff()), top, top + log(total)), int(queries - i < W ? queries - i : W));
    store(state.sum + i, select(total == set1(0.f), total, set1(1.f) / total));
  }
  const int64_t stride = p.heads * p.dim_v;
  copy_transposed_back(state.out, state.ld, queries, p.dim_v, state.sum, p.out.data + token * stride + head * p.dim_v, stride);
}

inline void forward_unit(const AttentionFwd& p, const AttentionUnit& unit, const AttentionUnit* next) {
  Scratch scratch;
  const int64_t s = unit.sequence, length_q = p.offsets_q.length(s), length_k = p.offsets_k.length(s);
  const int64_t group = p.heads / p.heads_kv, blocks = (length_q + kForwardQueries - 1) / kForwardQueries;
  const int64_t padded_v = round_up(p.dim_v, kRows), stride_q = p.heads * p.dim;
  const Keys keys = pack_keys(scratch, p, s, unit.head_kv, 0, length_k, p.dim, padded_v);
  if (next) prefetch_unit(p, *next, nullptr, nullptr);
  const int64_t widest = round_up(length_q < kForwardQueries ? length_q : kForwardQueries, W);
  float* q = scratch.take<float>(p.dim * widest);
  float* scores = scratch.take<float>(kForwardKeys * kColumns * W);
  Softmax state{widest, q, scratch.take<float>(widest), scratch.take<float>(widest), scratch.take<float>(padded_v * widest)};

  for (int64_t block = unit.begin; block < unit.end; ++block) {
    const int64_t head = unit.head_kv * group + block / blocks, query = block % blocks * kForwardQueries;
    const int64_t queries = length_q - query < kForwardQueries ? length_q - query : kForwardQueries;
    const int64_t token = p.offsets_q.at(s) + query;
    copy_transposed(p.q.data + token * stride_q + head * p.dim, stride_q, queries, p.dim, p.scale, q, widest);
    for (int64_t i = 0; i < widest; ++i) {
      state.highest[i] = -__builtin_inff();
      state.sum[i] = 0.f;
    }
    for (int64_t i = 0; i < padded_v * widest; ++i) state.out[i] = 0.f;
    const ForwardHead f{p, keys, bias_of(p, s, head), length_k - length_q, scores};
    for (int64_t first = 0; first < keys.count; first += kForwardKeys)
      for_strips(round_up(queries, W) / W, [&]<int N>(int64_t n) {
        Strip strip{first, keys.count - first, query + n * W, queries - n * W};
        if (p.causal) strip.count = keys_up_to(keys, strip.query + N * W - 1 + f.shift) - first;
        if (strip.count > kForwardKeys) strip.count = kForwardKeys;
        if (strip.count > 0) forward_strip<N>(f, strip, state, n * W);
      });
    finish_queries(p, token, head, queries, state);
  }
}

}  // namespace attention

void attention_fwd(const AttentionFwd& p, const AttentionUnit* units, const int64_t* tasks, int64_t count) {
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = tasks[begin]; u < tasks[end]; ++u) attention::forward_unit(p, units[u], u + 1 < tasks[count] ? units + u + 1 : nullptr);
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void attention_fwd(const AttentionFwd& p) {
  check_attention(p);
  const AttentionPlan plan = plan_attention_queries(p, kForwardQueries);
  UAM_BEST(attention_fwd)(p, plan.units.data(), plan.tasks.data(), int64_t(plan.tasks.size()) - 1);
}
}  // namespace uam::cpu
#endif
