// Attention over neighbours list by list: whatever the lists are. Included once per UAM_ISA after attention_tile.h, so no
// include guard.
namespace uam::cpu::UAM_ISA::attention {

// out[e] = <x, row(e)> for e < count. Writes whole vectors.
template <class Row> UAM_INLINE void dot_rows(const float* x, int64_t width, int64_t count, Row&& row, float* out) {
  for (int64_t e = 0; e < count; e += W) {
    const int here = at_most_a_vector(count - e);
    vf m[W];
    for (int r = 0; r < W; ++r) {
      m[r] = set1(0.f);
      if (r >= here) continue;
      const float* y = row(e + r);
      int64_t c = 0;
      for (; c + W <= width; c += W) m[r] = fma(load(x + c), load(y + c), m[r]);
      if (c < width) m[r] = fma(load_n(x + c, int(width - c)), load_n(y + c, int(width - c)), m[r]);
    }
    store(out + e, sum_rows(m));
  }
}

// N vectors of to += factor * sum over e < count of weight[e] row(e), from column c on; `tail` elements in the last one.
template <int N, class Row>
UAM_INLINE void add_rows_columns(const float* weight, int64_t count, Row&& row, float factor, int64_t c, int tail, float* to) {
  constexpr int kChains = N < 4 ? 4 : 1;  // enough independent sums to hide the latency of an addition
  vf sum[kChains][N] = {};
  int64_t e = 0;
  for (; e + kChains <= count; e += kChains)
    for (int chain = 0; chain < kChains; ++chain) {
      const float* y = row(e + chain) + c;
      const vf w = set1(weight[e + chain]);
      for (int n = 0; n < N; ++n) sum[chain][n] = fma(w, n < N - 1 ? load(y + n * W) : load_n(y + n * W, tail), sum[chain][n]);
    }
  for (; e < count; ++e)
    for (int n = 0; n < N; ++n) sum[0][n] = fma(set1(weight[e]), load_n(row(e) + c + n * W, n < N - 1 ? W : tail), sum[0][n]);
  for (int n = 0; n < N; ++n) {
    for (int chain = 1; chain < kChains; ++chain) sum[0][n] += sum[chain][n];
    const int here = n < N - 1 ? W : tail;
    store_n(to + c + n * W, fma(sum[0][n], set1(factor), load_n(to + c + n * W, here)), here);
  }
}

template <class Row> UAM_INLINE void add_rows(const float* weight, int64_t count, Row&& row, float factor, int64_t width, float* to) {
  int64_t c = 0;
  for (; c + 4 * W <= width; c += 4 * W) add_rows_columns<4>(weight, count, row, factor, c, W, to);
  for (; c < width; c += W) add_rows_columns<1>(weight, count, row, factor, c, at_most_a_vector(width - c), to);
}

UAM_INLINE void clear(float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = 0.f;
}

// Queries or keys per task: some 50 us of work.
inline int64_t neighbor_grain(const NeighborProblem& p, int64_t tokens) {
  const int64_t cost = (p.edges / (tokens > 0 ? tokens : 1) + 8) * (p.heads + 1) * (p.dim + p.dim_v + 8);
  const int64_t grain = (int64_t(1) << 20) / cost;
  return grain < 1 ? 1 : grain;
}

// One query and one head: pointers to their rows and to those of the keys on their list.
struct NeighborRow {
  const NeighborProblem& p;
  int64_t query, head, first, count;
  int64_t head_kv() const { return head / (p.heads / p.heads_kv); }
  int64_t at(int64_t width) const { return (query * p.heads + head) * width; }
  const float* key(int64_t e) const { return p.k.data + (p.indices.data[first + e] * p.heads_kv + head_kv()) * p.dim; }
  const float* value(int64_t e) const { return p.v.data + (p.indices.data[first + e] * p.heads_kv + head_kv()) * p.dim_v; }
};

// What an edge adds to the score of one head.
UAM_INLINE float added_score(const NeighborProblem& p, int64_t edge, int64_t head) {
  const float bias = p.bias ? p.bias.data[edge * p.heads + head] : 0.f;
  return p.slopes ? bias + p.slopes.data[head] * p.distances.data[edge] : bias;
}

// scores[e] of a row; -inf in the lanes beyond the list.
inline void score_list(const NeighborRow& row, float* scores) {
  const NeighborProblem& p = row.p;
  dot_rows(
      p.q.data + row.at(p.dim), p.dim, row.count, [&](int64_t e) { return row.key(e); }, scores);
  for (int64_t e = 0; e < row.count; ++e) scores[e] = scores[e] * p.scale + added_score(p, row.first + e, row.head);
  for (int64_t e = row.count; e < round_up(row.count, W); ++e) scores[e] = -__builtin_inff();
}

inline void forward_list(const NeighborAttentionFwd& p, const NeighborRow& row, float* scores) {
  score_list(row, scores);
  const float infinity = __builtin_inff();
  vf top = set1(-infinity), sums = set1(0.f);
  for (int64_t e = 0; e < row.count; e += W) top = max_of(load(scores + e), top);
  const float highest_score = highest(top), shift = highest_score == -infinity ? 0.f : highest_score;
  for (int64_t e = 0; e < row.count; e += W) {
    const vf weight = exp_negative(load(scores + e) - set1(shift));
    store(scores + e, weight);
    sums += weight;
  }
  const float total = sum(sums);
  p.lse.data[row.head * p.tokens_q + row.query] = shift == infinity ? shift : shift + std::log(total);
  float* out = p.out.data + row.at(p.dim_v);
  clear(out, p.dim_v);
  if (total != 0.f)
    add_rows(
        scores, row.count, [&](int64_t e) { return row.value(e); }, 1.f / total, p.dim_v, out);
}

// p[e] (into probability) and ds[e] (into d_score) from scores, <dOut, v>, lse and delta of each edge.
UAM_INLINE void differentiate_list(float* probability, float* d_score, int64_t count, const float* lse, const float* delta) {
  for (int64_t e = 0; e < count; e += W) {
    const vf weight = exp_negative(load(probability + e) - load(lse + e));
    store(probability + e, weight);
    store(d_score + e, weight * (load(d_score + e) - load(delta + e)));
  }
}

// dQ and dBias of one query and head, and its part of the head's dSlopes.
inline void backward_query(const NeighborAttentionBwd& p, const NeighborRow& row, const float* deltas, float* buffer, float* d_slope) {
  const int64_t padded = round_up(row.count, W);
  float *probability = buffer, *d_score = buffer + padded, *lse = d_score + padded, *delta = lse + padded;
  const float seen = p.lse.data[row.head * p.tokens_q + row.query];
  for (int64_t e = 0; e < padded; ++e) {
    lse[e] = seen == -__builtin_inff() ? -seen : seen;
    delta[e] = deltas[row.head * p.tokens_q + row.query];
  }
  score_list(row, probability);
  dot_rows(
      p.d_out.data + row.at(p.dim_v), p.dim_v, row.count, [&](int64_t e) { return row.value(e); }, d_score);
  differentiate_list(probability, d_score, row.count, lse, delta);
  if (p.d_bias)
    for (int64_t e = 0; e < row.count; ++e) p.d_bias.data[(row.first + e) * p.heads + row.head] = d_score[e];
  if (p.d_slopes) {
    *d_slope = 0.f;
    for (int64_t e = 0; e < row.count; ++e) *d_slope += d_score[e] * p.distances.data[row.first + e];
  }
  if (!p.d_q) return;
  float* d_q = p.d_q.data + row.at(p.dim);
  clear(d_q, p.dim);
  add_rows(
      d_score, row.count, [&](int64_t e) { return row.key(e); }, p.scale, p.dim, d_q);
}

// dK and dV of one key and key/value head: the same sums, seen from the key.
inline void backward_key(const NeighborAttentionBwd& p, const IncomingEdges& incoming, int64_t key, int64_t head_kv, const float* deltas,
                         float* buffer) {
  const int64_t first = incoming.start[key], count = incoming.start[key + 1] - first, padded = round_up(count, W),
                group = p.heads / p.heads_kv;
  const float *k = p.k.data + (key * p.heads_kv + head_kv) * p.dim, *v = p.v.data + (key * p.heads_kv + head_kv) * p.dim_v;
  float* d_k = p.d_k ? p.d_k.data + (key * p.heads_kv + head_kv) * p.dim : nullptr;
  float* d_v = p.d_v ? p.d_v.data + (key * p.heads_kv + head_kv) * p.dim_v : nullptr;
  if (d_k) clear(d_k, p.dim);
  if (d_v) clear(d_v, p.dim_v);
  float *probability = buffer, *d_score = buffer + padded, *lse = d_score + padded, *delta = lse + padded;
  const float infinity = __builtin_inff();
  for (int64_t head = head_kv * group; head < (head_kv + 1) * group; ++head) {
    const auto row_of = [&](int64_t e) { return incoming.query[first + e] * p.heads + head; };
    const auto query = [&](int64_t e) { return p.q.data + row_of(e) * p.dim; };
    const auto d_out = [&](int64_t e) { return p.d_out.data + row_of(e) * p.dim_v; };
    dot_rows(k, p.dim, count, query, probability);
    dot_rows(v, p.dim_v, count, d_out, d_score);
    for (int64_t e = 0; e < padded; ++e) {
      const float seen = e < count ? p.lse.data[head * p.tokens_q + incoming.query[first + e]] : infinity;
      lse[e] = seen == -infinity ? infinity : seen;
      delta[e] = e < count ? deltas[head * p.tokens_q + incoming.query[first + e]] : 0.f;
      if (e < count) probability[e] = probability[e] * p.scale + added_score(p, incoming.edge[first + e], head);
    }
    differentiate_list(probability, d_score, count, lse, delta);
    if (d_k) add_rows(d_score, count, query, p.scale, p.dim, d_k);
    if (d_v) add_rows(probability, count, d_out, 1.f, p.dim_v, d_v);
  }
}

inline void forward_lists(const NeighborAttentionFwd& p) {
  parallel_for(p.tokens_q, neighbor_grain(p, p.tokens_q), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Scratch scratch;
      float* scores = scratch.take<float>(round_up(p.offsets.length(i), W));
      for (int64_t head = 0; head < p.heads; ++head) forward_list(p, {p, i, head, p.offsets.at(i), p.offsets.length(i)}, scores);
    }
  });
}

// deltas[head, query] = <dOut, out>.
inline void find_deltas(const NeighborAttentionBwd& p, float* deltas) {
  parallel_for(p.tokens_q, 512, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * p.heads; row < end * p.heads; ++row) {
      const float *x = p.d_out.data + row * p.dim_v, *y = p.out.data + row * p.dim_v;
      vf total = set1(0.f);
      for (int64_t c = 0; c < p.dim_v; c += W) {
        const int n = at_most_a_vector(p.dim_v - c);
        total = fma(load_n(x + c, n), load_n(y + c, n), total);
      }
      deltas[row % p.heads * p.tokens_q + row / p.heads] = sum(total);
    }
  });
}

// `slope_parts` [tokensQ, heads]: what each query adds to dSlopes.
inline void backward_lists(const NeighborAttentionBwd& p, const IncomingEdges& incoming, float* slope_parts) {
  Scratch shared;
  float* deltas = shared.take<float>(p.tokens_q * p.heads);
  find_deltas(p, deltas);
  if (p.d_q || p.d_bias || p.d_slopes)
    parallel_for(p.tokens_q, neighbor_grain(p, p.tokens_q), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Scratch scratch;
        float* buffer = scratch.take<float>(4 * round_up(p.offsets.length(i), W));
        for (int64_t head = 0; head < p.heads; ++head)
          backward_query(p, {p, i, head, p.offsets.at(i), p.offsets.length(i)}, deltas, buffer, slope_parts + i * p.heads + head);
      }
    });
  if (p.d_k || p.d_v)
    parallel_for(p.tokens_k, neighbor_grain(p, p.tokens_k), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        Scratch scratch;
        float* buffer = scratch.take<float>(4 * round_up(incoming.start[j + 1] - incoming.start[j], W));
        for (int64_t head = 0; head < p.heads_kv; ++head) backward_key(p, incoming, j, head, deltas, buffer);
      }
    });
}

}  // namespace uam::cpu::UAM_ISA::attention
