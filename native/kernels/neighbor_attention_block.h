// Attention over neighbours in small dense products: a run of up to W queries, one per lane, meets the union of their keys.
// Included once per UAM_ISA after attention_tile.h, so no include guard.
//
// Rows of the products lie where the caller's tensors have them: nothing is gathered. Each lane adds its keys in rising order and
// hidden ones add zero, so the result of a query does not depend on the queries that it shares a run with.
namespace uam::cpu::UAM_ISA::attention {

inline constexpr int kKeys = W >= 8 ? 8 : 4;        // rows of a product under way at once
inline constexpr int kSums = W == 16 ? 16 : kKeys;  // columns of a result under way at once

// One run: its queries, the keys that they see together, and for every key and lane whether there is an edge, and how long it is.
struct NeighborRun {
  int64_t query, queries, keys;
  const int32_t* key;     // [keys, padded to kKeys with the last one]
  const int32_t* places;  // [edges of the run]
  int32_t* edge;          // [keys padded, W]: -1 or 0
  float* distance;        // [keys padded, W]
};

UAM_INLINE void zero(float* to, int64_t count) {
  for (int64_t i = 0; i < count; i += W) store(to + i, set1(0.f));
}

inline NeighborRun lay_out_run(const NeighborProblem& p, const NeighborRuns& plan, int64_t r, Scratch& scratch) {
  NeighborRun run;
  run.query = plan.begin[r], run.queries = plan.begin[r + 1] - run.query, run.keys = plan.counts[r];
  const int64_t first = p.offsets.at(run.query), padded = round_up(run.keys, kKeys);
  int32_t* key = scratch.take<int32_t>(padded);
  for (int64_t u = 0; u < padded; ++u) key[u] = plan.keys[first + (u < run.keys ? u : run.keys - 1)];
  run.key = key;
  run.places = plan.places + first;
  run.edge = scratch.take<int32_t>(padded * W);
  for (int64_t i = 0; i < padded * W; i += W) storei(run.edge + i, set1i(0));
  run.distance = p.slopes ? scratch.take<float>(padded * W) : nullptr;
  if (p.slopes) zero(run.distance, padded * W);
  for (int64_t lane = 0; lane < run.queries; ++lane)
    for (int64_t e = p.offsets.at(run.query + lane); e < p.offsets.at(run.query + lane + 1); ++e) {
      const int64_t at = plan.places[e] * W + lane;
      run.edge[at] = -1;
      if (p.slopes) run.distance[at] = p.distances.data[e];
    }
  return run;
}

// Rows of the keys of a run, for one key/value head.
struct KeyRows {
  const float* data;
  int64_t stride;
  const float* operator()(int32_t key) const { return data + key * stride; }
};

// sum[r][lane] += <row(key u + r), x[.., lane]> for kKeys keys, x [width, W].
UAM_INLINE void products_with_keys(const int32_t* key, KeyRows rows, const float* x, int64_t width, vf (&sum)[kKeys]) {
  const float* row[kKeys];
#pragma GCC unroll 8
  for (int r = 0; r < kKeys; ++r) row[r] = rows(key[r]);
  for (int64_t c = 0; c < width; ++c) {
    const vf lanes = load(x + c * W);
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) sum[r] = fma(set1(row[r][c]), lanes, sum[r]);
  }
}

template <int N> UAM_INLINE void sum_columns(const NeighborRun& run, KeyRows rows, const float* weight, int64_t c, float* to) {
  vf sum[N];
#pragma GCC unroll 16
  for (int n = 0; n < N; ++n) sum[n] = set1(0.f);
  for (int64_t u = 0; u < run.keys; ++u) {
    const float* row = rows(run.key[u]) + c;
    const vf lanes = load(weight + u * W);
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) sum[n] = fma(set1(row[n]), lanes, sum[n]);
  }
#pragma GCC unroll 16
  for (int n = 0; n < N; ++n) store(to + (c + n) * W, sum[n]);
}

// to[c, lane] = sum over the keys of weight[u, lane] row(key u)[c], to [width, W].
inline void sum_keys(const NeighborRun& run, KeyRows rows, const float* weight, int64_t width, float* to) {
  int64_t c = 0;
  for (; c + kSums <= width; c += kSums) sum_columns<kSums>(run, rows, weight, c, to);
  for (; c + 4 <= width; c += 4) sum_columns<4>(run, rows, weight, c, to);
  for (; c < width; ++c) sum_columns<1>(run, rows, weight, c, to);
}

// to(key) += sum over the lanes of weight[lane] x[lane] for `keys` <= kKeys keys; rows of `width` floats, x's `stride` apart.
UAM_INLINE void add_to_keys(const int32_t* key, int64_t keys, const float* weight, int64_t lanes, const float* x, int64_t stride,
                            int64_t width, float* to, int64_t to_stride) {
  float* row[kKeys];
#pragma GCC unroll 8
  for (int r = 0; r < kKeys; ++r) row[r] = to + key[r] * to_stride;
  for (int64_t c = 0; c < width; c += W) {
    const int columns = at_most_a_vector(width - c);
    vf sum[kKeys];
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) sum[r] = load_up_to(row[r] + c, columns);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const vf here = load_up_to(x + lane * stride + c, columns);
#pragma GCC unroll 8
      for (int r = 0; r < kKeys; ++r) sum[r] = fma(set1(weight[r * W + lane]), here, sum[r]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r)
      if (r < keys) store_up_to(row[r] + c, sum[r], columns);
  }
}

inline void add_to_keys(const NeighborRun& run, const float* weight, const float* x, int64_t stride, int64_t width, float* to,
                        int64_t to_stride) {
  for (int64_t u = 0; u < run.keys; u += kKeys)
    add_to_keys(run.key + u, run.keys - u, weight + u * W, run.queries, x, stride, width, to, to_stride);
}

// Scores of a run and one head, [keys padded, W]; -inf where there is no edge. `q` [dim, W] is scaled. Returns each lane's highest.
inline vf score_run(const NeighborProblem& p, const NeighborRun& run, int64_t head, const float* q, float* scores) {
  const int64_t head_kv = head / (p.heads / p.heads_kv);
  if (p.bias) {
    zero(scores, round_up(run.keys, kKeys) * W);
    for (int64_t lane = 0, e = 0; lane < run.queries; ++lane) {
      const int64_t first = p.offsets.at(run.query), end = p.offsets.at(run.query + lane + 1) - first;
      for (; e < end; ++e) scores[run.places[e] * W + lane] = p.bias.data[(first + e) * p.heads + head];
    }
  }
  const vf slope = set1(p.slopes ? p.slopes.data[head] : 0.f), nothing = set1(-__builtin_inff());
  vf top = nothing;
  for (int64_t u = 0; u < run.keys; u += kKeys) {
    float* to = scores + u * W;
    vf sum[kKeys];
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) {
      sum[r] = p.slopes ? slope * load(run.distance + (u + r) * W) : set1(0.f);
      if (p.bias) sum[r] += load(to + r * W);
    }
    products_with_keys(run.key + u, {p.k.data + head_kv * p.dim, p.heads_kv * p.dim}, q, p.dim, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) {
      sum[r] = select(loadi(run.edge + (u + r) * W) != set1i(0), sum[r], nothing);
      top = max_of(sum[r], top);
      store(to + r * W, sum[r]);
    }
  }
  return top;
}

struct RunBuffers {
  float *q, *d_out, *out;               // [dim, W], [dimV, W]
  float *scores, *d_scores, *d_biases;  // [keys padded, W]
  float* sums;                          // [the wider of dim and dimV, W]
};

inline RunBuffers run_buffers(const NeighborProblem& p, const NeighborRun& run, bool backward, Scratch& scratch) {
  const int64_t padded = round_up(run.keys, kKeys);
  RunBuffers buffers;
  buffers.q = scratch.take<float>(p.dim * W);
  buffers.d_out = scratch.take<float>(backward ? p.dim_v * W : 0);
  buffers.out = scratch.take<float>(backward ? p.dim_v * W : 0);
  buffers.scores = scratch.take<float>(padded * W);
  buffers.d_scores = scratch.take<float>(backward ? padded * W : 0);
  buffers.d_biases = scratch.take<float>(backward ? padded * W : 0);
  buffers.sums = scratch.take<float>((p.dim > p.dim_v ? p.dim : p.dim_v) * W);
  return buffers;
}

inline void forward_run(const NeighborAttentionFwd& p, const NeighborRun& run, int64_t head, const RunBuffers& buffers) {
  const float infinity = __builtin_inff();
  const int64_t head_kv = head / (p.heads / p.heads_kv);
  float* scores = buffers.scores;
  copy_transposed(p.q.data + (run.query * p.heads + head) * p.dim, p.heads * p.dim, run.queries, p.dim, p.scale, buffers.q, W);
  const vf top = score_run(p, run, head, buffers.q, scores);
  vf total = set1(0.f);
  const vf shift = select(top == set1(-infinity), set1(0.f), top);
  for (int64_t u = 0; u < run.keys; ++u) {
    const vf weight = exp_negative(load(scores + u * W) - shift);
    store(scores + u * W, weight);
    total += weight;
  }
  store_n(p.lse.data + head * p.tokens_q + run.query, select(shift == set1(infinity), shift, shift + log(total)), int(run.queries));
  alignas(64) float inverse[W];
  store(inverse, select(total == set1(0.f), set1(0.f), set1(1.f) / total));
  sum_keys(run, {p.v.data + head_kv * p.dim_v, p.heads_kv * p.dim_v}, scores, p.dim_v, buffers.sums);
  copy_transposed_back(buffers.sums, W, run.queries, p.dim_v, inverse, p.out.data + (run.query * p.heads + head) * p.dim_v,
                       p.heads * p.dim_v);
}

// p[e] (over the scores), ds[e] scale and, where `d_biases` is given, ds[e] of a run and one head. Returns the head's part of dSlopes.
inline float differentiate_run(const NeighborAttentionBwd& p, const NeighborRun& run, int64_t head, const RunBuffers& buffers,
                               bool biased) {
  const float infinity = __builtin_inff();
  const int64_t head_kv = head / (p.heads / p.heads_kv);
  const vf seen = load_n(p.lse.data + head * p.tokens_q + run.query, int(run.queries)), scale = set1(p.scale);
  const vf lse = select(seen == set1(-infinity), set1(infinity), seen);
  vf delta = set1(0.f), slope = set1(0.f);
  for (int64_t c = 0; c < p.dim_v; ++c) delta = fma(load(buffers.out + c * W), load(buffers.d_out + c * W), delta);
  for (int64_t u = 0; u < run.keys; u += kKeys) {
    vf sum[kKeys];
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) sum[r] = set1(0.f);
    products_with_keys(run.key + u, {p.v.data + head_kv * p.dim_v, p.heads_kv * p.dim_v}, buffers.d_out, p.dim_v, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kKeys; ++r) {
      const int64_t at = (u + r) * W;
      const auto edge = loadi(run.edge + at) != set1i(0);
      const vf weight = select(edge, exp_negative(load(buffers.scores + at) - lse), set1(0.f));
      const vf d = select(edge, weight * (sum[r] - delta), set1(0.f));
      store(buffers.scores + at, weight);
      store(buffers.d_scores + at, d * scale);
      if (biased) store(buffers.d_biases + at, d);
      if (p.slopes) slope = fma(d, load(run.distance + at), slope);
    }
  }
  return sum(slope);
}

// All gradients of a run and one head; dK and dV are added to. Returns the head's part of dSlopes.
inline float backward_run(const NeighborAttentionBwd& p, const NeighborRun& run, int64_t head, const RunBuffers& buffers) {
  const int64_t head_kv = head / (p.heads / p.heads_kv), row = run.query * p.heads + head;
  const int64_t q_stride = p.heads * p.dim, o_stride = p.heads * p.dim_v, k_stride = p.heads_kv * p.dim, v_stride = p.heads_kv * p.dim_v;
  const float *q = p.q.data + row * p.dim, *d_out = p.d_out.data + row * p.dim_v;
  copy_transposed(q, q_stride, run.queries, p.dim, p.scale, buffers.q, W);
  copy_transposed(d_out, o_stride, run.queries, p.dim_v, 1.f, buffers.d_out, W);
  copy_transposed(p.out.data + row * p.dim_v, o_stride, run.queries, p.dim_v, 1.f, buffers.out, W);
  score_run(p, run, head, buffers.q, buffers.scores);
  const float slope = differentiate_run(p, run, head, buffers, bool(p.d_bias));
  if (p.d_bias)
    for (int64_t lane = 0, e = 0; lane < run.queries; ++lane) {
      const int64_t first = p.offsets.at(run.query), end = p.offsets.at(run.query + lane + 1) - first;
      for (; e < end; ++e) p.d_bias.data[(first + e) * p.heads + head] = buffers.d_biases[run.places[e] * W + lane];
    }
  if (p.d_q) {
    alignas(64) float one[W];
    store(one, set1(1.f));
    sum_keys(run, {p.k.data + head_kv * p.dim, k_stride}, buffers.d_scores, p.dim, buffers.sums);
    copy_transposed_back(buffers.sums, W, run.queries, p.dim, one, p.d_q.data + row * p.dim, q_stride);
  }
  if (p.d_k) add_to_keys(run, buffers.d_scores, q, q_stride, p.dim, p.d_k.data + head_kv * p.dim, k_stride);
  if (p.d_v) add_to_keys(run, buffers.scores, d_out, o_stride, p.dim_v, p.d_v.data + head_kv * p.dim_v, v_stride);
  return slope;
}

inline void forward_runs(const NeighborAttentionFwd& p, const NeighborRuns& plan) {
  parallel_for(plan.runs, 2, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Scratch scratch;
      const NeighborRun run = lay_out_run(p, plan, r, scratch);
      const RunBuffers buffers = run_buffers(p, run, false, scratch);
      for (int64_t head = 0; head < p.heads; ++head) forward_run(p, run, head, buffers);
    }
  });
}

// `slope_parts` [runs, heads]: what each run adds to dSlopes.
inline void backward_runs(const NeighborAttentionBwd& p, const NeighborRuns& plan, float* slope_parts) {
  for (auto [gradient, width] : {std::pair(p.d_k.data, p.dim), std::pair(p.d_v.data, p.dim_v)})
    if (gradient)
      parallel_for(p.tokens_k, 1024, [&](int64_t begin, int64_t end) {
        std::memset(gradient + begin * p.heads_kv * width, 0, size_t((end - begin) * p.heads_kv * width) * sizeof(float));
      });
  // What a task writes nobody else does: its component's keys, for a few heads. Many components need no cut by heads.
  const int64_t group = p.heads / p.heads_kv, step = plan.components >= 16 ? p.heads_kv : 2, steps = (p.heads_kv + step - 1) / step;
  parallel_for(plan.components * steps, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t component = task / steps, first = task % steps * step * group;
      const int64_t last = first + step * group < p.heads ? first + step * group : p.heads;
      for (int64_t r = plan.component[component]; r < plan.component[component + 1]; ++r) {
        Scratch scratch;
        const NeighborRun run = lay_out_run(p, plan, r, scratch);
        const RunBuffers buffers = run_buffers(p, run, true, scratch);
        for (int64_t head = first; head < last; ++head) slope_parts[r * p.heads + head] = backward_run(p, run, head, buffers);
      }
    }
  });
}

}  // namespace uam::cpu::UAM_ISA::attention
