// Attention forward. This file: exact float32, any head size. The tensor cores' way is in attention_bf16.cu.
#include "attention_bf16.cuh"
#include "attention_products.cuh"

namespace uam::cuda {

// Shared memory of the forward kernel, in floats.
template <int W> struct ForwardTiles {
  static constexpr int kValueRow = padded_row(W), kWeightRow = padded_row(kTileRows);
  int log_width, width, row;  // columns of a chunk of q and k, and from row to row
  UAM_HD explicit ForwardTiles(int dim)
      : log_width(log_of_width(dim < kChunk ? dim : kChunk)), width(1 << log_width), row(padded_row(width)) {}
  UAM_HD int q() const { return 0; }
  UAM_HD int k() const { return kTileRows * row; }
  UAM_HD int v() const { return 2 * kTileRows * row; }
  UAM_HD int weights() const { return v() + kTileRows * kValueRow; }
  UAM_HD int size() const { return weights() + kTileRows * kWeightRow; }
};

// The running softmax of a thread's four rows. `sum` is this thread's share of it.
struct RunningSoftmax {
  float highest[4], sum[4];
  __device__ RunningSoftmax() {
#pragma unroll
    for (int i = 0; i < 4; ++i) highest[i] = -INFINITY, sum[i] = 0.f;
  }
  // Scores become exp(score - highest); what was summed before is to be multiplied by `rescale`.
  template <int N> __device__ void take(float (&s)[4][N], float (&rescale)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float top = highest[i];
#pragma unroll
      for (int j = 0; j < N; ++j) top = fmaxf(top, s[i][j]);
#pragma unroll
      for (int bits = 4; bits > 0; bits >>= 1) top = fmaxf(top, __shfl_xor_sync(kWholeWarp, top, bits));
      const float shift = top == -INFINITY ? 0.f : top;  // nothing seen yet: exp(-inf - 0) = 0
      rescale[i] = expf(highest[i] - shift);
      highest[i] = top;
      sum[i] *= rescale[i];
#pragma unroll
      for (int j = 0; j < N; ++j) sum[i] += s[i][j] = expf(s[i][j] - shift);
    }
  }
  __device__ float total(int i) const {
    float all = sum[i];
#pragma unroll
    for (int bits = 4; bits > 0; bits >>= 1) all += __shfl_xor_sync(kWholeWarp, all, bits);
    return all;
  }
};

// Adds the bias, and hides what the queries from `query` on do not see of the keys `key`, `key` + 8, ...
template <int N> __device__ void adjust_scores(const AttentionView& view, int query, int key, float (&s)[4][N]) {
  unsigned masked = 0;
#pragma unroll
  for (int j = 0; j < N; ++j) masked |= unsigned(view.masked(key + 8 * j)) << j;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int limit = view.key_limit(query + i);
    const float* bias = view.bias && limit > 0 ? view.bias_row(query + i) + key : nullptr;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const bool seen = key + 8 * j < limit && (masked >> j & 1u) == 0;
      if (bias && seen) s[i][j] += bias[8 * j];
      s[i][j] = seen ? s[i][j] : -INFINITY;
    }
  }
}

template <int W> __global__ void __launch_bounds__(kTileThreads, W > 64 ? 2 : 3)
    attention_fwd_kernel(AttentionArrays p, const AttentionTile* tiles, float* out, float* lse) {
  const AttentionBlock block(tiles, p.heads);
  const AttentionView view(p, block.tile, block.head);
  const ForwardTiles<W> at(p.dim);
  float* shared = dynamic_shared<float>();
  float *q_tile = shared + at.q(), *k_tile = shared + at.k(), *v_tile = shared + at.v(), *weights = shared + at.weights();
  const int first = block.tile.first, slice = int(blockIdx.y) * 128, head_kv = block.head / p.group;
  const int64_t stride_q = int64_t(p.heads) * p.dim, stride_k = int64_t(p.heads_kv) * p.dim, stride_v = int64_t(p.heads_kv) * p.dim_v;
  const float* q = p.q + (view.begin_q + first) * stride_q + int64_t(block.head) * p.dim;
  const float* k = p.k + view.begin_k * stride_k + int64_t(head_kv) * p.dim;
  const float* v = p.v + view.begin_k * stride_v + int64_t(head_kv) * p.dim_v + slice;
  const int queries = min(kTileRows, view.queries - first), end = view.key_end(first + queries);

  const RowSource q_rows{q, stride_q, queries, p.dim, nullptr, p.vectors, p.scale};
  const auto key_rows = [&](const float* from, int64_t stride, int columns, int key) {
    return RowSource{from + key * stride, stride, end - key, columns, view.mask ? view.mask + key : nullptr, p.vectors, 1.f};
  };
  const auto fetch_scores = [&](int key, int column) {
    if (p.dim > kChunk || key == 0) fetch_rows(q_tile, at.row, kTileRows, q_rows, column, at.log_width);
    fetch_rows(k_tile, at.row, kTileRows, key_rows(k, stride_k, p.dim, key), column, at.log_width);
    copy_async_commit();
  };
  RunningSoftmax softmax;
  float sum[4][W / 8] = {};
  if (end > 0) fetch_scores(0, 0);
  for (int key = 0; key < end; key += kTileRows) {
    fetch_rows(v_tile, at.kValueRow, kTileRows, key_rows(v, stride_v, p.dim_v - slice, key), 0, log_of_width(W));
    copy_async_commit();
    float s[4][kTileRows / 8] = {};
    for (int column = 0; column < p.dim || column == 0; column += kChunk) {
      if (column == 0) copy_async_wait<1>();  // the values may still be on their way
      else copy_async_wait<0>();
      if (p.dim > kChunk || key == 0) multiply_fetched(q_tile, at.row, kTileRows, q_rows, at.log_width);
      __syncthreads();
      add_products(s, q_tile, at.row, k_tile, at.row, at.width);
      __syncthreads();  // the chunk is read: the next one may come, or the next keys while the values are summed
      if (column + kChunk < p.dim) fetch_scores(key, column + kChunk);
      else if (key + kTileRows < end) fetch_scores(key + kTileRows, 0);
      else copy_async_commit();
    }
    if (!view.all_plain(first, kTileRows, key, kTileRows)) adjust_scores(view, first + row_group() * 4, key + column_lane(), s);
    float rescale[4];
    softmax.take(s, rescale);
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int n = 0; n < W / 8; ++n) sum[i][n] *= rescale[i];
    put_weights(weights, at.kWeightRow, s);
    copy_async_wait<1>();
    __syncthreads();
    add_weighted_rows<W>(sum, weights, at.kWeightRow, v_tile, at.kValueRow, kTileRows);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = row_group() * 4 + i;
    const float total = softmax.total(i), highest = softmax.highest[i], factor = 1.f / total;
    if (row >= queries) continue;
    const int64_t token = view.begin_q + first + row;
    // Rows that saw nothing give 0 and -inf.
    if (column_lane() == 0 && slice == 0) lse[block.head * p.tokens_q + token] = highest == INFINITY ? highest : highest + logf(total);
#pragma unroll
    for (int n = 0; n < W / 8; ++n) sum[i][n] = total == 0.f ? 0.f : sum[i][n] * factor;
    ResultColumns<W>::store(out + (token * p.heads + block.head) * p.dim_v + slice, sum[i], p.dim_v - slice, p.vectors);
  }
}

void attention_fwd(const AttentionFwd& p) {
  Call call;
  check_attention_call(call, p);
  AttentionArrays arrays = attention_arrays(call, p);
  float *out = call.out(p.out), *lse = call.out(p.lse);
  arrays.vectors = arrays.vectors && at_16_bytes(out);
  if (wants_bf16(p)) {
    attention_fwd_bf16(call, p, arrays, out, lse);
    return call.finish();
  }
  const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::queries, kTileRows);
  const AttentionTile* list = call.upload(tiles);
  with_tile_width(p.dim_v, [&]<int W>() {
    const unsigned slices = unsigned(std::max<int64_t>(1, ceil_div<int64_t>(p.dim_v, 128)));
    call.launch(
        {{attention_blocks(tiles.size(), p.heads), slices}, kTileThreads, size_t(ForwardTiles<W>(arrays.dim).size()) * sizeof(float)},
        attention_fwd_kernel<W>, arrays, list, out, lse);
  });
  call.finish();
}

}  // namespace uam::cuda
