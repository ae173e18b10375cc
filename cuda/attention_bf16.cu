#include "attention_bf16.cuh"

namespace uam::cuda {

// The left factors of 16 rows of q, straight from memory: they are needed once.
template <int W> __device__ __forceinline__ void load_queries(uint32_t (&a)[W / 16][4], const float* q, int64_t stride, int row, int count,
                                                              int dim, bool pairs) {
  const int t = int(threadIdx.x) % 4;
#pragma unroll
  for (int k = 0; k < W / 16; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + i % 2 * 8, c = k * 16 + i / 2 * 8 + 2 * t;
      const float* at = q + r * stride + c;
      float2 x = make_float2(0.f, 0.f);
      if (r < count && c < dim) {
        if (pairs) {
          x = *reinterpret_cast<const float2*>(at);
        } else {
          x.x = at[0];
          if (c + 1 < dim) x.y = at[1];
        }
      }
      a[k][i] = pack_bf16(x.x, x.y);
    }
}

// A warp has 16 * MT rows: with more rows, keys and values that it reads from shared memory serve more products.
template <int W, int MT> __global__ void __launch_bounds__(kBf16Threads, 2)
    attention_fwd_bf16_kernel(AttentionArrays p, const uint16_t* k, const uint16_t* v, const AttentionTile* tiles, float* out, float* lse) {
  constexpr int kTile = kBf16Rows * kBf16Row<W>, kRows = kBf16Rows * MT;
  const AttentionBlock block(tiles, p.heads);
  const AttentionView view(p, block.tile, block.head);
  uint16_t* shared = dynamic_shared<uint16_t>();  // two stages of keys and values
  const int lane = int(threadIdx.x) % 32, g = lane / 4, t = lane % 4, first = block.tile.first, head_kv = block.head / p.group;
  const int own = first + int(threadIdx.x) / 32 * 16 * MT + g;  // this lane's first row
  const int end = view.key_end(min(first + kRows, view.queries));
  const uint16_t *k_rows = k + (head_kv * p.tokens_k + view.begin_k) * W, *v_rows = v + (head_kv * p.tokens_k + view.begin_k) * W;
  const auto fetch = [&](int key, int stage) {
    uint16_t* to = shared + stage * 2 * kTile;
    fetch_rounded<W>(to, k_rows + int64_t(key) * W, kBf16Rows, end - key);
    fetch_rounded<W>(to + kTile, v_rows + int64_t(key) * W, kBf16Rows, end - key);
    copy_async_commit();
  };
  if (end > 0) fetch(0, 0);
  uint32_t q[MT][W / 16][4];
  const int64_t stride = int64_t(p.heads) * p.dim;
#pragma unroll
  for (int m = 0; m < MT; ++m)
    load_queries<W>(q[m], p.q + view.begin_q * stride + int64_t(block.head) * p.dim, stride, own + 16 * m, view.queries, p.dim, p.vectors);

  float o[MT][W / 8][4] = {}, highest[MT][2], sum[MT][2];
#pragma unroll
  for (int m = 0; m < MT; ++m) highest[m][0] = highest[m][1] = -INFINITY, sum[m][0] = sum[m][1] = 0.f;
  const float factor = p.scale * kLog2E;
  for (int key = 0, stage = 0; key < end; key += kBf16Rows, stage ^= 1) {
    copy_async_wait<0>();
    __syncthreads();  // these keys are there, and those of the other stage are read
    if (key + kBf16Rows < end) fetch(key + kBf16Rows, stage ^ 1);
    const uint16_t *k_tile = shared + stage * 2 * kTile, *v_tile = k_tile + kTile;
    float s[MT][kBf16Rows / 8][4] = {};
#pragma unroll
    for (int c = 0; c < W / 16; ++c)
#pragma unroll
      for (int n = 0; n < kBf16Rows / 8; n += 2) {
        uint32_t b[4];
        load_matrices(b, right_factors<W>(k_tile, n * 8, c * 16));
#pragma unroll
        for (int m = 0; m < MT; ++m) mma_two(s[m][n], s[m][n + 1], q[m][c], b);
      }
    const bool plain = view.all_plain(first, kRows, key, kBf16Rows);
#pragma unroll
    for (int m = 0; m < MT; ++m) {
#pragma unroll
      for (int n = 0; n < kBf16Rows / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) s[m][n][e] *= factor;
      if (!plain) adjust_scores_bf16<false>(view, own + 16 * m, key + 2 * t, s[m]);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = highest[m][half];
#pragma unroll
        for (int n = 0; n < kBf16Rows / 8; ++n) top = fmaxf(top, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
        top = fmaxf(top, __shfl_xor_sync(kWholeWarp, top, 1));
        top = fmaxf(top, __shfl_xor_sync(kWholeWarp, top, 2));
        const float shift = top == -INFINITY ? 0.f : top;  // nothing seen yet: 2^(-inf - 0) = 0
        const float rescale = exp2_fast(highest[m][half] - shift);
        highest[m][half] = top;
        float total = sum[m][half] * rescale;
#pragma unroll
        for (int n = 0; n < kBf16Rows / 8; ++n) {
          total += s[m][n][2 * half] = exp2_fast(s[m][n][2 * half] - shift);
          total += s[m][n][2 * half + 1] = exp2_fast(s[m][n][2 * half + 1] - shift);
        }
        sum[m][half] = total;
#pragma unroll
        for (int n = 0; n < W / 8; ++n) o[m][n][2 * half] *= rescale, o[m][n][2 * half + 1] *= rescale;
      }
    }
#pragma unroll
    for (int j = 0; j < kBf16Rows / 16; ++j) {
      uint32_t a[MT][4];
#pragma unroll
      for (int m = 0; m < MT; ++m) round_scores(a[m], s[m][2 * j], s[m][2 * j + 1]);
#pragma unroll
      for (int n = 0; n < W / 8; n += 2) {
        uint32_t b[4];
        load_matrices_transposed(b, right_factors_transposed<W>(v_tile, j * 16, n * 8));
#pragma unroll
        for (int m = 0; m < MT; ++m) mma_two(o[m][n], o[m][n + 1], a[m], b);
      }
    }
  }
#pragma unroll
  for (int m = 0; m < MT; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float total = sum[m][half];
      total += __shfl_xor_sync(kWholeWarp, total, 1);
      total += __shfl_xor_sync(kWholeWarp, total, 2);
      const int row = own + 16 * m + 8 * half;
      if (row >= view.queries) continue;
      const int64_t token = view.begin_q + row;
      const float top = highest[m][half], inverse = 1.f / total;
      if (t == 0) lse[block.head * p.tokens_q + token] = top == INFINITY ? top : fmaf(top, kLn2, logf(total));
      float* to = out + (token * p.heads + block.head) * p.dim_v;
#pragma unroll
      for (int n = 0; n < W / 8; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          if (n * 8 + 2 * t + e < p.dim_v) to[n * 8 + 2 * t + e] = total == 0.f ? 0.f : o[m][n][2 * half + e] * inverse;
    }
}

template <int W, int MT> static void launch_forward(Call& call, const AttentionProblem& p, const AttentionArrays& arrays, const uint16_t* k,
                                                    const uint16_t* v, float* out, float* lse) {
  const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::queries, kBf16Rows * MT);
  call.launch({attention_blocks(tiles.size(), p.heads), kBf16Threads, size_t(4 * kBf16Rows * kBf16Row<W>) * sizeof(uint16_t)},
              attention_fwd_bf16_kernel<W, MT>, arrays, k, v, call.upload(tiles), out, lse);
}

void attention_fwd_bf16(Call& call, const AttentionProblem& p, const AttentionArrays& arrays, float* out, float* lse) {
  with_bf16_width(std::max(p.dim, p.dim_v), [&]<int W>() {
    const Rounding k = rounding<W>(call, arrays.k, p.tokens_k, arrays.heads_kv, arrays.dim, arrays.key_mask);
    const Rounding v = rounding<W>(call, arrays.v, p.tokens_k, arrays.heads_kv, arrays.dim_v, arrays.key_mask);
    round_rows<W>(call, {k, v});
    // Larger tiles where they fill the card; either way a row is summed in the same order.
    int64_t large_tiles = 0;
    for (int64_t s = 0; s < p.offsets_q.sequences(); ++s) large_tiles += p.heads * ceil_div<int64_t>(p.offsets_q.length(s), 2 * kBf16Rows);
    if constexpr (W <= 64) {
      if (large_tiles >= 2 * call.multiprocessors()) return launch_forward<W, 2>(call, p, arrays, k.to, v.to, out, lse);
    }
    launch_forward<W, 1>(call, p, arrays, k.to, v.to, out, lse);
  });
}

}  // namespace uam::cuda
