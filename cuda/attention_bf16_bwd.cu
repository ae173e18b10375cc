#include "attention_bf16.cuh"

namespace uam::cuda {

// delta[head, token] = <dOut, out> with dOut as the products round it, and lse times log2(e); +inf where a row saw nothing, so that
// its probabilities are 0.
__global__ void attention_rows_bf16_kernel(AttentionArrays p, const float* out, const float* d_out, const float* lse, float* delta,
                                           float* lse2) {
  for (int64_t i = first_element(); i < p.tokens_q * p.heads; i += element_step()) {
    const float *x = out + i * p.dim_v, *y = d_out + i * p.dim_v;
    float sum = 0.f;
    for (int c = 0; c < p.dim_v; ++c) sum = fmaf(x[c], __uint_as_float(pack_bf16(0.f, y[c]) & 0xffff0000u), sum);
    const int64_t to = i % p.heads * p.tokens_q + i / p.heads;
    delta[to] = sum;
    lse2[to] = lse[to] == -INFINITY ? INFINITY : lse[to] * kLog2E;
  }
}

struct RoundedArrays {
  AttentionArrays p;
  const uint16_t *q, *k, *v, *d_out;
  const float *lse2, *delta;
};

template <int W, bool keys_own> struct Bf16BackwardTiles {
  static constexpr int kStep = W > 64 ? 32 : 64;  // rows of the other side; fewer where the sums need the registers
  static constexpr int kOwn = kBf16Rows * kBf16Row<W>, kOther = kStep * kBf16Row<W>;
  // Numbers of 16 bits: own rows of two arrays, two stages of the other side's, and two stages of lse and delta.
  static constexpr int kStage = 2 * kOther, kFloats = 2 * kOwn + 2 * kStage, kSize = kFloats + (keys_own ? 2 * 2 * kStep * 2 : 0);
};

// s += products of this warp's 16 rows, which begin at `own`, with the other side's.
template <int W, int N> __device__ __forceinline__ void add_scores_bf16(float (&s)[N][4], const uint16_t* own, const uint16_t* other) {
#pragma unroll
  for (int c = 0; c < W / 16; ++c) {
    uint32_t a[4];
    load_matrices(a, left_factor<W>(own, 0, c * 16));
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t b[4];
      load_matrices(b, right_factors<W>(other, n * 8, c * 16));
      mma_two(s[n], s[n + 1], a, b);
    }
  }
}
// sum += weights x other rows.
template <int W, int N>
__device__ __forceinline__ void add_weighted_bf16(float (&sum)[W / 8][4], const float (&weights)[N][4], const uint16_t* other) {
#pragma unroll
  for (int j = 0; j < N / 2; ++j) {
    uint32_t a[4];
    round_scores(a, weights[2 * j], weights[2 * j + 1]);
#pragma unroll
    for (int n = 0; n < W / 8; n += 2) {
      uint32_t b[4];
      load_matrices_transposed(b, right_factors_transposed<W>(other, j * 16, n * 8));
      mma_two(sum[n], sum[n + 1], a, b);
    }
  }
}
template <int W> __device__ __forceinline__ void put_rows_bf16(float* to, int64_t stride, int row, int rows, int columns,
                                                               const float (&sum)[W / 8][4], float factor) {
  const int t = int(threadIdx.x) % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (row + 8 * half >= rows) continue;
    float* at = to + (row + 8 * half) * stride;
#pragma unroll
    for (int n = 0; n < W / 8; ++n)
#pragma unroll
      for (int e = 0; e < 2; ++e)
        if (n * 8 + 2 * t + e < columns) at[n * 8 + 2 * t + e] = sum[n][2 * half + e] * factor;
  }
}

// A block per 64 queries and head (keys_own false; makes dQ), or per 64 keys and key/value head (dK and dV). `a` are rows of q and k,
// `b` those of dOut and v.
template <int W, bool keys_own> __global__ void __launch_bounds__(kBf16Threads, 2)
    attention_bwd_bf16_kernel(RoundedArrays w, const AttentionTile* tiles, float* to_a, float* to_b) {
  using Tiles = Bf16BackwardTiles<W, keys_own>;
  constexpr int kStep = Tiles::kStep, N = kStep / 8;
  const AttentionArrays& p = w.p;
  const int own_heads = keys_own ? p.heads_kv : p.heads, heads = keys_own ? p.group : 1;
  const AttentionBlock block(tiles, own_heads);
  const int first_head = block.head * heads, first = block.tile.first, lane = int(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  const int warp_row = int(threadIdx.x) / 32 * 16, own = first + warp_row + g;
  AttentionView view(p, block.tile, first_head);
  uint16_t *own_a = dynamic_shared<uint16_t>(), *own_b = own_a + Tiles::kOwn, *stages = own_b + Tiles::kOwn;
  float* query_floats = reinterpret_cast<float*>(own_a + Tiles::kFloats);  // [stage][lse, delta][kStep]
  const int length = keys_own ? view.length_k : view.queries, rows = min(kBf16Rows, length - first);
  const int begin = keys_own ? view.query_begin(first) / kStep * kStep : 0;
  const int end = keys_own ? (first < view.keys ? view.queries : 0) : view.key_end(first + rows);
  const int steps = end > begin ? ceil_div(end - begin, kStep) : 0;

  const auto fetch = [&](int at, int stage) {  // step at % steps of head at / steps
    const int head = first_head + at / steps, row = begin + at % steps * kStep;
    const int64_t from = keys_own ? head * p.tokens_q + view.begin_q + row : head / p.group * p.tokens_k + view.begin_k + row;
    uint16_t* to = stages + stage * Tiles::kStage;
    fetch_rounded<W>(to, (keys_own ? w.q : w.k) + from * W, kStep, end - row);
    fetch_rounded<W>(to + Tiles::kOther, (keys_own ? w.d_out : w.v) + from * W, kStep, end - row);
    if (keys_own) {
      for (int i = int(threadIdx.x); i < 2 * kStep; i += kBf16Threads) {
        const bool there = row + i % kStep < end;
        copy_async_4(query_floats + stage * 2 * kStep + i, (i < kStep ? w.lse2 : w.delta) + from + (there ? i % kStep : 0), there);
      }
    }
    copy_async_commit();
  };
  float own_lse[2] = {INFINITY, INFINITY}, own_delta[2] = {0.f, 0.f};
  if (steps > 0) {
    const int64_t from = keys_own ? block.head * p.tokens_k + view.begin_k + first : first_head * p.tokens_q + view.begin_q + first;
    const int there = keys_own ? min(rows, view.keys - first) : rows;
    fetch_rounded<W>(own_a, (keys_own ? w.k : w.q) + from * W, kBf16Rows, there);
    fetch_rounded<W>(own_b, (keys_own ? w.v : w.d_out) + from * W, kBf16Rows, there);
    fetch(0, 0);
#pragma unroll
    for (int half = 0; half < 2; ++half)
      if (!keys_own && own + 8 * half < view.queries) {
        const int64_t at = first_head * p.tokens_q + view.begin_q + own + 8 * half;
        own_lse[half] = w.lse2[at], own_delta[half] = w.delta[at];
      }
  }
  float sum_a[W / 8][4] = {}, sum_b[W / 8][4] = {};
  const float factor = p.scale * kLog2E;
  for (int at = 0, stage = 0; at < steps * heads; ++at, stage ^= 1) {
    copy_async_wait<0>();
    __syncthreads();  // this step is there, and the other stage is read
    if (at + 1 < steps * heads) fetch(at + 1, stage ^ 1);
    const int step = begin + at % steps * kStep;
    const uint16_t *other_a = stages + stage * Tiles::kStage, *other_b = other_a + Tiles::kOther;
    float s[N][4] = {}, d[N][4] = {};
    add_scores_bf16<W>(s, own_a + warp_row * kBf16Row<W>, other_a);
    add_scores_bf16<W>(d, own_b + warp_row * kBf16Row<W>, other_b);
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) s[n][e] *= factor;
    const bool plain = keys_own ? view.all_plain(step, kStep, first, kBf16Rows) : view.all_plain(first, kBf16Rows, step, kStep);
    if (!plain) {
      view.set_bias(p, block.tile.sequence, first_head + at / steps);
      adjust_scores_bf16<keys_own>(view, own, step + 2 * t, s);
    }
    const float* floats = query_floats + stage * 2 * kStep + 2 * t;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float lse = keys_own ? floats[8 * n + e % 2] : own_lse[e / 2],
                    delta = keys_own ? floats[kStep + 8 * n + e % 2] : own_delta[e / 2];
        const float probability = exp2_fast(s[n][e] - lse);
        s[n][e] = probability;
        d[n][e] = probability == 0.f ? 0.f : probability * (d[n][e] - delta);
      }
    if (keys_own && to_b) add_weighted_bf16<W>(sum_b, s, other_b);
    if (to_a) add_weighted_bf16<W>(sum_a, d, other_a);
  }
  const int64_t row = ((keys_own ? view.begin_k : view.begin_q) + first) * own_heads + block.head;
  if (to_a) put_rows_bf16<W>(to_a + row * p.dim, int64_t(own_heads) * p.dim, warp_row + g, rows, p.dim, sum_a, p.scale);
  if (keys_own && to_b) put_rows_bf16<W>(to_b + row * p.dim_v, int64_t(own_heads) * p.dim_v, warp_row + g, rows, p.dim_v, sum_b, 1.f);
}

void attention_bwd_bf16(Call& call, const AttentionProblem& p, const AttentionArrays& arrays, const Bf16Backward& given) {
  float *delta = call.scratch<float>(p.tokens_q * p.heads), *lse2 = call.scratch<float>(p.tokens_q * p.heads);
  call.launch_elements(p.tokens_q * p.heads, attention_rows_bf16_kernel, arrays, given.out, given.d_out, given.lse, delta, lse2);
  with_bf16_width(std::max(p.dim, p.dim_v), [&]<int W>() {
    const Rounding q = rounding<W>(call, arrays.q, p.tokens_q, arrays.heads, arrays.dim, nullptr);
    const Rounding k = rounding<W>(call, arrays.k, p.tokens_k, arrays.heads_kv, arrays.dim, arrays.key_mask);
    const Rounding v = rounding<W>(call, arrays.v, p.tokens_k, arrays.heads_kv, arrays.dim_v, arrays.key_mask);
    const Rounding d_out = rounding<W>(call, given.d_out, p.tokens_q, arrays.heads, arrays.dim_v, nullptr);
    round_rows<W>(call, {q, k, v, d_out});
    const RoundedArrays w{arrays, q.to, k.to, v.to, d_out.to, lse2, delta};
    if (given.d_q) {
      const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::queries, kBf16Rows);
      call.launch({attention_blocks(tiles.size(), p.heads), kBf16Threads, size_t(Bf16BackwardTiles<W, false>::kSize) * sizeof(uint16_t)},
                  attention_bwd_bf16_kernel<W, false>, w, call.upload(tiles), given.d_q, static_cast<float*>(nullptr));
    }
    if (given.d_k || given.d_v) {
      const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::keys, kBf16Rows);
      call.launch({attention_blocks(tiles.size(), p.heads_kv), kBf16Threads, size_t(Bf16BackwardTiles<W, true>::kSize) * sizeof(uint16_t)},
                  attention_bwd_bf16_kernel<W, true>, w, call.upload(tiles), given.d_k, given.d_v);
    }
  });
}

}  // namespace uam::cuda
