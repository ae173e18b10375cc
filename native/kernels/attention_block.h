// What a block of attention scores is made of, for one instruction set (included once per UAM_ISA after
// attention_tile.h): which keys are visible, packed copies of them, causal mask and bias on transposed scores.
namespace uam::cpu::UAM_ISA::attention {

// The visible keys of a range, packed one after the other. Hidden keys are left out rather than masked: they cost
// nothing and whatever they hold cannot reach a result.
struct Keys {
  int64_t count;
  const int32_t* position;  // [count], rising: where each stands in its sequence
  const float *k, *v;       // [count rounded up to kRows, ld_k], [.., ld_v]
  int64_t ld_k, ld_v;
};

inline float* pack_rows(Scratch& scratch, const float* from, int64_t stride, const int32_t* position, int64_t count, int64_t width, int64_t ld) {
  const int64_t padded = round_up(count, kRows);
  float* to = scratch.take<float>(padded * ld);
  const auto row = [=](int64_t j) { return to + j * ld; };
  if (position[count - 1] - position[0] == count - 1) {
    const float* first = from + position[0] * stride;
    copy_rows(count, width, ld, 1.f, [=](int64_t j) { return first + j * stride; }, row);
  } else {
    copy_rows(count, width, ld, 1.f, [=](int64_t j) { return from + position[j] * stride; }, row);
  }
  for (int64_t i = count * ld; i < padded * ld; ++i) to[i] = 0.f;
  return to;
}

// Keys [begin, end) of sequence s for one key/value head.
inline Keys pack_keys(Scratch& scratch, const AttentionProblem& p, int64_t s, int64_t head_kv, int64_t begin, int64_t end, int64_t ld_k, int64_t ld_v) {
  const int64_t first = p.offsets_k.at(s);
  if (p.k_lens && p.k_lens.data[s] < end) end = p.k_lens.data[s];
  const uint8_t* mask = p.key_mask ? p.key_mask.data + first : nullptr;
  int32_t* position = scratch.take<int32_t>(end > begin ? end - begin : 0);
  int64_t count = 0;
  for (int64_t j = begin; j < end; ++j)
    if (!mask || mask[j]) position[count++] = int32_t(j);
  if (count == 0) return {0, position, nullptr, nullptr, ld_k, ld_v};
  const int64_t stride_k = p.heads_kv * p.dim, stride_v = p.heads_kv * p.dim_v;
  const float* k = pack_rows(scratch, p.k.data + first * stride_k + head_kv * p.dim, stride_k, position, count, p.dim, ld_k);
  const float* v = pack_rows(scratch, p.v.data + first * stride_v + head_kv * p.dim_v, stride_v, position, count, p.dim_v, ld_v);
  return {count, position, k, v, ld_k, ld_v};
}

// How many of the keys stand at or before `last`.
inline int64_t keys_up_to(const Keys& keys, int64_t last) {
  int64_t low = 0, high = keys.count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (keys.position[middle] <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Short sequences: rows of one head are short and far apart, which no hardware prefetcher foresees. Asking for those of the
// next unit during this one hides the wait; long sequences have enough arithmetic to hide it themselves.
inline constexpr int64_t kPrefetchLength = 512;

// (Always inlined: GCC drops calls of functions that do nothing but prefetch.)
UAM_INLINE void prefetch_rows(const float* from, int64_t stride, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; c += 16) __builtin_prefetch(from + r * stride + c, 0, 2);
}

UAM_INLINE void prefetch_unit(const AttentionProblem& p, const AttentionUnit& unit, const float* d_out, const float* out) {
  const int64_t s = unit.sequence, head = unit.head_kv * (p.heads / p.heads_kv), q = p.offsets_q.at(s), k = p.offsets_k.at(s);
  const int64_t queries = p.offsets_q.length(s), keys = p.offsets_k.length(s);
  if (keys > kPrefetchLength || queries > kPrefetchLength) return;
  prefetch_rows(p.k.data + (k * p.heads_kv + unit.head_kv) * p.dim, p.heads_kv * p.dim, keys, p.dim);
  prefetch_rows(p.v.data + (k * p.heads_kv + unit.head_kv) * p.dim_v, p.heads_kv * p.dim_v, keys, p.dim_v);
  prefetch_rows(p.q.data + (q * p.heads + head) * p.dim, p.heads * p.dim, queries, p.dim);
  for (const float* more : {d_out, out})
    if (more) prefetch_rows(more + (q * p.heads + head) * p.dim_v, p.heads * p.dim_v, queries, p.dim_v);
}

// A strip of scores: `count` keys from number `first_key` on, times the queries from `query` on (`queries` of them
// exist; the lanes beyond are padding).
struct Strip {
  int64_t first_key, count, query, queries;
};

// scores[j, lane] = -inf where the key stands after the query's last visible position, query + shift.
template <int N> inline void hide_future(const Keys& keys, const Strip& strip, int64_t shift, float* scores, int64_t ld) {
  int32_t count_up[W];
  for (int i = 0; i < W; ++i) count_up[i] = i;
  const vi lanes = loadi(count_up);
  for (int64_t j = keys_up_to(keys, strip.query + shift) - strip.first_key, start = j < 0 ? 0 : j; j < strip.count; ++j) {
    if (j < start) j = start;
    const int64_t hidden = keys.position[strip.first_key + j] - shift - strip.query;  // lanes below this do not see key j
    for (int n = 0; n < N; ++n) {
      const vi before = lanes + set1i(n * W) < set1i(int32_t(hidden < 0 ? 0 : hidden > N * W ? N * W : hidden));
      float* s = scores + j * ld + n * W;
      store(s, select(before, set1(-__builtin_inff()), load(s)));
    }
  }
}

// The bias [Lq, Lk] that a sequence and head use, or null.
inline const float* bias_of(const AttentionProblem& p, int64_t s, int64_t head) {
  if (!p.bias) return nullptr;
  return p.bias.data + ((p.bias_batch == 1 ? 0 : s) * p.bias_heads + (p.bias_heads == 1 ? 0 : head)) * p.length_q * p.length_k;
}

// scores[j, lane] += bias[query + lane, position[j]].
template <int N> inline void add_bias(const Keys& keys, const Strip& strip, const float* bias, int64_t length_k, float* scores, int64_t ld) {
  const int32_t* position = keys.position + strip.first_key;
  for (int64_t j = 0; j < strip.count; j += W) {
    const int here = int(strip.count - j < W ? strip.count - j : W);
    const bool adjacent = position[j + here - 1] - position[j] == here - 1;
    for (int64_t n = 0; n < N * W && n < strip.queries; n += W) {
      vf m[W];
      for (int r = 0; r < W; ++r) {
        if (n + r >= strip.queries) {
          m[r] = set1(0.f);
          continue;
        }
        const float* row = bias + (strip.query + n + r) * length_k;
        if (adjacent) {
          m[r] = load_n(row + position[j], here);
        } else {
          float picked[W] = {};
          for (int i = 0; i < here; ++i) picked[i] = row[position[j + i]];
          m[r] = load(picked);
        }
      }
      transpose(m);
      for (int i = 0; i < here; ++i) {
        float* s = scores + (j + i) * ld + n;
        store(s, load(s) + m[i]);
      }
    }
  }
}

}  // namespace uam::cpu::UAM_ISA::attention
