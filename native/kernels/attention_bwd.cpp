// Attention backward. P is recomputed from lse, block by block, by the same products in the same order as in the
// forward pass. A unit owns some keys of one key/value head: it alone writes their dK and dV, and gives dQ to them
// all in one go, or, where a long sequence is cut into several units, as partials that are added up in order.
#include "kernels/attention.h"

#include <utility>

#include "kernels/attention_plan.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/attention_bwd.cpp"
#include "simd.h"
#include "kernels/attention_tile.h"
#include "kernels/attention_block.h"

namespace uam::cpu::UAM_ISA {
namespace attention {

// Some queries of one head, with what the gradient needs to know of them and the scores against a block of keys.
struct QueryBlock {
  int64_t ld;                       // lanes: the queries of the largest block, padded to vectors
  int64_t padded_q, padded_v;       // dim and dim_v, padded to vectors
  float *q_lanes, *q_rows;          // [dim, ld] and [ld, padded_q], both times scale
  float *d_out_lanes, *d_out_rows;  // [dim_v, ld] and [ld, padded_v]
  float* out_lanes;                 // [dim_v, ld]
  float *lse, *delta;               // [ld]; lse is +inf where a row must come to nothing
  float *probability, *d_score;     // [kBackwardKeys, ld]
  int64_t query = 0, queries = 0;   // which ones: [query, query + queries) of the sequence

  QueryBlock(Scratch& scratch, const AttentionProblem& p, int64_t length_q)
      : ld(round_up(length_q < kBackwardQueries ? length_q : kBackwardQueries, W)), padded_q(round_up(p.dim, W)), padded_v(round_up(p.dim_v, W)) {
    q_lanes = scratch.take<float>(p.dim * ld);
    q_rows = scratch.take<float>(ld * padded_q);
    d_out_lanes = scratch.take<float>(p.dim_v * ld);
    d_out_rows = scratch.take<float>(ld * padded_v);
    out_lanes = scratch.take<float>(p.dim_v * ld);
    lse = scratch.take<float>(ld);
    delta = scratch.take<float>(ld);
    probability = scratch.take<float>(kBackwardKeys * ld);
    d_score = scratch.take<float>(kBackwardKeys * ld);
  }
};

inline void load_queries(const AttentionBwd& p, int64_t s, int64_t head, int64_t query, QueryBlock& b) {
  const int64_t left = p.offsets_q.length(s) - query, token = p.offsets_q.at(s) + query;
  const int64_t stride_q = p.heads * p.dim, stride_v = p.heads * p.dim_v;
  const float* q = p.q.data + token * stride_q + head * p.dim;
  const float *out = p.out.data + token * stride_v + head * p.dim_v, *d_out = p.d_out.data + token * stride_v + head * p.dim_v;
  b.query = query;
  b.queries = left < kBackwardQueries ? left : kBackwardQueries;
  copy_transposed(q, stride_q, b.queries, p.dim, p.scale, b.q_lanes, b.ld);
  copy_rows(b.queries, p.dim, b.padded_q, p.scale, [=](int64_t j) { return q + j * stride_q; }, [&](int64_t j) { return b.q_rows + j * b.padded_q; });
  copy_transposed(d_out, stride_v, b.queries, p.dim_v, 1.f, b.d_out_lanes, b.ld);
  copy_rows(b.queries, p.dim_v, b.padded_v, 1.f, [=](int64_t j) { return d_out + j * stride_v; }, [&](int64_t j) { return b.d_out_rows + j * b.padded_v; });
  copy_transposed(out, stride_v, b.queries, p.dim_v, 1.f, b.out_lanes, b.ld);
  for (int64_t i = 0; i < b.queries; i += W) {
    // Summed in the order of the products with V: a row that sees one key has a gradient of exactly zero.
    vf delta = set1(0.f);
    for (int64_t c = 0; c < p.dim_v; ++c) delta = fma(load(b.out_lanes + c * b.ld + i), load(b.d_out_lanes + c * b.ld + i), delta);
    store(b.delta + i, delta);
  }
  const float* lse = p.lse.data + head * p.tokens_q + token;
  const float infinity = __builtin_inff();
  for (int64_t i = 0; i < b.ld; ++i) b.lse[i] = i < b.queries && lse[i] != -infinity ? lse[i] : infinity;
}

// Probabilities and score gradients of `count` keys from number `first` on, into b.probability and b.d_score.
inline void differentiate_scores(const AttentionBwd& p, int64_t s, int64_t head, const Keys& keys, int64_t first, int64_t count, const QueryBlock& b) {
  const int64_t shift = p.offsets_k.length(s) - p.offsets_q.length(s);
  const float* bias = bias_of(p, s, head);
  for_strips(round_up(b.queries, W) / W, [&]<int N>(int64_t n) {
    float *scores = b.probability + n * W, *d_scores = b.d_score + n * W;
    const Strip strip{first, count, b.query + n * W, b.queries - n * W};
    multiply_strip<N, Rows::plain, Start::zero>(keys.k + first * keys.ld_k, keys.ld_k, b.q_lanes + n * W, b.ld, scores, b.ld, count, p.dim);
    if (bias) add_bias<N>(keys, strip, bias, p.length_k, scores, b.ld);
    if (p.causal) hide_future<N>(keys, strip, shift, scores, b.ld);
    multiply_strip<N, Rows::plain, Start::zero>(keys.v + first * keys.ld_v, keys.ld_v, b.d_out_lanes + n * W, b.ld, d_scores, b.ld, count, p.dim_v);
    vf lse[N], delta[N];
    for (int i = 0; i < N; ++i) lse[i] = load(b.lse + (n + i) * W), delta[i] = load(b.delta + (n + i) * W);
    for (int64_t j = 0; j < count; ++j)
#pragma GCC unroll 3
      for (int i = 0; i < N; ++i) {
        float *score = scores + j * b.ld + i * W, *d_score = d_scores + j * b.ld + i * W;
        const vf probability = exp_negative(load(score) - lse[i]);
        store(score, probability);
        store(d_score, probability * (load(d_score) - delta[i]));
      }
    for (int64_t j = count; j < round_up(count, kRows); ++j)  // the rest of the last tile: keys that these queries do not see
      for (int i = 0; i < N; ++i) {
        store(scores + j * b.ld + i * W, set1(0.f));
        store(d_scores + j * b.ld + i * W, set1(0.f));
      }
  });
}

// How many of the keys from `first` on the block has to look at.
inline int64_t keys_in_block(const AttentionProblem& p, int64_t s, const Keys& keys, int64_t first, const QueryBlock& b) {
  int64_t count = keys.count - first;
  if (p.causal) count = keys_up_to(keys, b.query + b.queries - 1 + p.offsets_k.length(s) - p.offsets_q.length(s)) - first;
  return count < kBackwardKeys ? count : kBackwardKeys;
}

inline float* zeros(Scratch& scratch, int64_t count) {
  float* data = scratch.take<float>(count);
  for (int64_t i = 0; i < count; ++i) data[i] = 0.f;
  return data;
}

// Rows of the visible keys to their places among keys [begin, end), zeros for the hidden ones.
inline void spread_rows(const Keys& keys, const float* from, int64_t ld, int64_t width, int64_t begin, int64_t end, float* to, int64_t stride) {
  copy_rows(keys.count, width, width, 1.f, [=](int64_t j) { return from + j * ld; }, [&](int64_t j) { return to + keys.position[j] * stride; });
  for (int64_t j = begin, visible = 0; j < end; ++j) {
    if (visible < keys.count && keys.position[visible] == j) {
      ++visible;
      continue;
    }
    for (int64_t c = 0; c < width; ++c) to[j * stride + c] = 0.f;
  }
}

inline void backward_unit(const AttentionBwd& p, const AttentionUnit& unit, const AttentionUnit* next, float* partials) {
  Scratch scratch;
  const int64_t s = unit.sequence, length_q = p.offsets_q.length(s), group = p.heads / p.heads_kv;
  QueryBlock b(scratch, p, length_q);
  const Keys keys = pack_keys(scratch, p, s, unit.head_kv, unit.begin, unit.end, b.padded_q, p.dim_v);
  if (next) prefetch_unit(p, *next, p.d_out.data, p.out.data);
  const int64_t padded_keys = round_up(keys.count, kRows);
  float* d_k = p.d_k ? zeros(scratch, padded_keys * b.padded_q) : nullptr;
  float* d_v = p.d_v ? zeros(scratch, padded_keys * b.padded_v) : nullptr;
  float* d_q = scratch.take<float>(b.ld * b.padded_q);

  for (int64_t head = unit.head_kv * group; head < (unit.head_kv + 1) * group; ++head)
    for (int64_t query = 0; query < length_q; query += kBackwardQueries) {
      load_queries(p, s, head, query, b);
      for (int64_t i = 0; i < b.ld * b.padded_q; ++i) d_q[i] = 0.f;
      for (int64_t first = 0; first < keys.count; first += kBackwardKeys) {
        const int64_t count = keys_in_block(p, s, keys, first, b);
        if (count <= 0) break;
        differentiate_scores(p, s, head, keys, first, count, b);
        if (d_v)
          multiply<Rows::plain, Start::add>(b.probability, b.ld, b.d_out_rows, b.padded_v, d_v + first * b.padded_v, b.padded_v, count, b.padded_v / W,
                                            b.queries);
        if (d_k)
          multiply<Rows::plain, Start::add>(b.d_score, b.ld, b.q_rows, b.padded_q, d_k + first * b.padded_q, b.padded_q, count, b.padded_q / W, b.queries);
        if (p.d_q)
          multiply<Rows::transposed, Start::add>(b.d_score, b.ld, keys.k + first * keys.ld_k, keys.ld_k, d_q, b.padded_q, b.queries, b.padded_q / W, count);
      }
      if (!p.d_q) continue;
      const bool whole = unit.partial < 0;
      const int64_t stride = whole ? p.heads * p.dim : p.dim;
      float* to = whole ? p.d_q.data + (p.offsets_q.at(s) + query) * stride + head * p.dim
                        : partials + unit.partial + ((head - unit.head_kv * group) * length_q + query) * p.dim;
      copy_rows(b.queries, p.dim, p.dim, p.scale, [&](int64_t j) { return d_q + j * b.padded_q; }, [=](int64_t j) { return to + j * stride; });
    }

  const int64_t token = p.offsets_k.at(s), stride_k = p.heads_kv * p.dim, stride_v = p.heads_kv * p.dim_v;
  if (d_k) spread_rows(keys, d_k, b.padded_q, p.dim, unit.begin, unit.end, p.d_k.data + token * stride_k + unit.head_kv * p.dim, stride_k);
  if (d_v) spread_rows(keys, d_v, b.padded_v, p.dim_v, unit.begin, unit.end, p.d_v.data + token * stride_v + unit.head_kv * p.dim_v, stride_v);
}

inline void add_partials(const AttentionBwd& p, const AttentionPartials& sum, const float* partials) {
  const int64_t group = p.heads / p.heads_kv, length_q = p.offsets_q.length(sum.sequence), size = group * length_q * p.dim;
  const float* first = partials + sum.partial;
  parallel_for(group * length_q, 256, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t head = sum.head_kv * group + row / length_q, token = p.offsets_q.at(sum.sequence) + row % length_q;
      float* to = p.d_q.data + (token * p.heads + head) * p.dim;
      for (int64_t c = 0; c < p.dim; c += W) {
        const int n = at_most_a_vector(p.dim - c);
        vf total = load_n(first + row * p.dim + c, n);
        for (int64_t part = 1; part < sum.parts; ++part) total += load_n(first + part * size + row * p.dim + c, n);
        store_n(to + c, total, n);
      }
    }
  });
}

// d_bias[query + lane, position[j]] += d_score[j, lane].
inline void add_d_bias(const Keys& keys, int64_t first, int64_t count, const QueryBlock& b, float* d_bias, int64_t length_k) {
  const int32_t* position = keys.position + first;
  for (int64_t j = 0; j < count; j += W) {
    const int here = at_most_a_vector(count - j);
    const bool adjacent = position[j + here - 1] - position[j] == here - 1;
    for (int64_t n = 0; n < b.queries; n += W) {
      vf m[W];
      for (int i = 0; i < W; ++i) m[i] = i < here ? load(b.d_score + (j + i) * b.ld + n) : set1(0.f);
      transpose(m);
      for (int r = 0; r < W && n + r < b.queries; ++r) {
        float* row = d_bias + (b.query + n + r) * length_k;
        if (adjacent) {
          store_n(row + position[j], load_n(row + position[j], here) + m[r], here);
        } else {
          float lanes[W];
          store(lanes, m[r]);
          for (int i = 0; i < here; ++i) row[position[j + i]] += lanes[i];
        }
      }
    }
  }
}

// The gradient of one block of rows of one bias: a pass of its own, over the sequences and heads that share it, in order.
inline void bias_unit(const AttentionBwd& p, int64_t batch, int64_t bias_head, int64_t query) {
  float* d_bias = p.d_bias.data + (batch * p.bias_heads + bias_head) * p.length_q * p.length_k;
  const int64_t last = query + kBackwardQueries < p.length_q ? query + kBackwardQueries : p.length_q;
  for (int64_t i = query * p.length_k; i < last * p.length_k; ++i) d_bias[i] = 0.f;
  const int64_t sequences = p.offsets_q.sequences(), group = p.heads / p.heads_kv;
  for (int64_t s = p.bias_batch == 1 ? 0 : batch; s < (p.bias_batch == 1 ? sequences : batch + 1); ++s)
    for (int64_t head = p.bias_heads == 1 ? 0 : bias_head; head < (p.bias_heads == 1 ? p.heads : bias_head + 1); ++head) {
      Scratch scratch;
      QueryBlock b(scratch, p, p.length_q);
      const Keys keys = pack_keys(scratch, p, s, head / group, 0, p.length_k, p.dim, p.dim_v);
      load_queries(p, s, head, query, b);
      for (int64_t first = 0; first < keys.count; first += kBackwardKeys) {
        const int64_t count = keys_in_block(p, s, keys, first, b);
        if (count <= 0) break;
        differentiate_scores(p, s, head, keys, first, count, b);
        add_d_bias(keys, first, count, b, d_bias, p.length_k);
      }
    }
}

}  // namespace attention

void attention_bwd(const AttentionBwd& p, const AttentionUnit* units, const int64_t* tasks, int64_t task_count, const AttentionPartials* sums, int64_t sum_count,
                   int64_t partial_size) {
  Scratch scratch;
  float* partials = p.d_q && sum_count > 0 ? scratch.take<float>(partial_size) : nullptr;
  if (p.d_q || p.d_k || p.d_v) {
    parallel_for(task_count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = tasks[begin]; u < tasks[end]; ++u) attention::backward_unit(p, units[u], u + 1 < tasks[task_count] ? units + u + 1 : nullptr, partials);
    });
  }
  if (partials)
    for (int64_t i = 0; i < sum_count; ++i) attention::add_partials(p, sums[i], partials);
  if (p.d_bias && p.heads > 0 && p.offsets_q.sequences() > 0) {
    const int64_t blocks = (p.length_q + kBackwardQueries - 1) / kBackwardQueries;
    parallel_for(p.bias_batch * p.bias_heads * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        attention::bias_unit(p, i / blocks / p.bias_heads, i / blocks % p.bias_heads, i % blocks * kBackwardQueries);
    });
  }
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void attention_bwd(const AttentionBwd& p) {
  check_attention(p);
  const AttentionPlan plan = plan_attention_keys(p, kBackwardKeys);
  UAM_BEST(attention_bwd)(p, plan.units.data(), plan.tasks.data(), int64_t(plan.tasks.size()) - 1, plan.partials.data(), int64_t(plan.partials.size()),
                          plan.partial_size);
}
}  // namespace uam::cpu
#endif
