// Attention backward. This file: exact float32, any head size. The tensor cores' way is in attention_bf16_bwd.cu.
//
// A pass makes dQ, a block per tile of queries; another dK and dV, a block per tile of keys; a third dBias. Each makes the
// probabilities again from lse: that costs two products more than one pass with atomic sums of dQ would, and gives the same bits
// in every run.
#include "attention_bf16.cuh"
#include "attention_products.cuh"

namespace uam::cuda {

// delta[head, token] = <dOut, out>, summed in the order of the products with V: a row that sees one key has a gradient of zero.
__global__ void attention_delta_kernel(AttentionArrays p, const float* out, const float* d_out, float* delta) {
  for (int64_t i = first_element(); i < p.tokens_q * p.heads; i += element_step()) {
    const float *x = out + i * p.dim_v, *y = d_out + i * p.dim_v;
    float sum = 0.f;
    for (int c = 0; c < p.dim_v; ++c) sum = fmaf(x[c], y[c], sum);
    delta[i % p.heads * p.tokens_q + i / p.heads] = sum;
  }
}

struct BackwardArrays {
  AttentionArrays p;
  const float *d_out, *lse, *delta;
};

// One side of the scores: rows that q or k give them (`a`), and rows of dOut or v (`b`).
struct BackwardSide {
  RowSource a, b;
};
__device__ inline BackwardSide query_side(const BackwardArrays& w, const AttentionView& view, int head, int first) {
  const AttentionArrays& p = w.p;
  const int64_t row = (view.begin_q + first) * p.heads + head;
  const int count = view.queries - first;
  return {{p.q + row * p.dim, int64_t(p.heads) * p.dim, count, p.dim, nullptr, p.vectors, p.scale},
          {w.d_out + row * p.dim_v, int64_t(p.heads) * p.dim_v, count, p.dim_v, nullptr, p.vectors, 1.f}};
}
__device__ inline BackwardSide key_side(const BackwardArrays& w, const AttentionView& view, int head, int first) {
  const AttentionArrays& p = w.p;
  const int64_t row = (view.begin_k + first) * p.heads_kv + head / p.group;
  const int count = view.keys - first;
  const uint8_t* mask = view.mask ? view.mask + first : nullptr;
  return {{p.k + row * p.dim, int64_t(p.heads_kv) * p.dim, count, p.dim, mask, p.vectors, 1.f},
          {p.v + row * p.dim_v, int64_t(p.heads_kv) * p.dim_v, count, p.dim_v, mask, p.vectors, 1.f}};
}

// Shared memory: two chunks of the rows of this block, rows of the other side W columns wide, and weights.
template <int W> struct BackwardTiles {
  static constexpr int kColumns = W > 64 ? 32 : 64;  // rows of the other side; fewer where the sums need the registers
  static constexpr int kChunkWidth = W < kChunk ? W : kChunk, kChunkRow = padded_row(kChunkWidth), kRow = padded_row(W),
                       kWeightRow = padded_row(kColumns);
  static constexpr int kA = 0, kB = kTileRows * kChunkRow, kOtherA = 2 * kB, kOtherB = kOtherA + kColumns * kRow,
                       kWeights = kOtherB + kColumns * kRow, kSize = kWeights + kTileRows * kWeightRow;
  float *a, *b, *other_a, *other_b, *weights;
  bool whole;      // the other side's rows lie there whole, not a chunk at a time
  bool own_stays;  // the rows of this block are one chunk, and stay
  __device__ BackwardTiles(float* shared, const AttentionArrays& p)
      : a(shared + kA),
        b(shared + kB),
        other_a(shared + kOtherA),
        other_b(shared + kOtherB),
        weights(shared + kWeights),
        whole(p.dim <= W && p.dim_v <= W),
        own_stays(p.dim <= kChunkWidth && p.dim_v <= kChunkWidth) {}

  __device__ void fetch_own(const BackwardSide& own) const {
    fetch_rows(a, kChunkRow, kTileRows, own.a, 0, log_of_width(kChunkWidth));
    fetch_rows(b, kChunkRow, kTileRows, own.b, 0, log_of_width(kChunkWidth));
    copy_async_commit();
    copy_async_wait<0>();
    multiply_fetched(a, kChunkRow, kTileRows, own.a, log_of_width(kChunkWidth));
  }
  // Columns [column, column + W) of the other side.
  __device__ void fetch_other(const BackwardSide& other, int column) const {
    __syncthreads();
    fetch_rows(other_a, kRow, kColumns, other.a, column, log_of_width(W));
    fetch_rows(other_b, kRow, kColumns, other.b, column, log_of_width(W));
    copy_async_commit();
    copy_async_wait<0>();
    multiply_fetched(other_a, kRow, kColumns, other.a, log_of_width(W));
    __syncthreads();
  }
  __device__ void products(float (&s)[4][kColumns / 8], const RowSource& own, float* own_tile, const RowSource& other,
                           float* other_tile) const {
    for (int column = 0; column < own.columns; column += kChunkWidth) {
      if (!own_stays || !whole) {
        __syncthreads();
        if (!own_stays) fetch_rows(own_tile, kChunkRow, kTileRows, own, column, log_of_width(kChunkWidth));
        if (!whole) fetch_rows(other_tile, kRow, kColumns, other, column, log_of_width(kChunkWidth));
        copy_async_commit();
        copy_async_wait<0>();
        if (!own_stays) multiply_fetched(own_tile, kChunkRow, kTileRows, own, log_of_width(kChunkWidth));
        if (!whole) multiply_fetched(other_tile, kRow, kColumns, other, log_of_width(kChunkWidth));
        __syncthreads();
      }
      add_products(s, own_tile, kChunkRow, other_tile + (whole ? column : 0), kRow, kChunkWidth);
    }
  }
};

// Probabilities and gradients of scores, of a thread's rows of its block and columns of the other side. keys_own: rows are keys.
template <bool keys_own, int N> __device__ __forceinline__ void differentiate(const BackwardArrays& w, const AttentionView& view, int head,
                                                                              int own_first, int other_first, float (&s)[4][N],
                                                                              float (&d)[4][N]) {
  const int query = keys_own ? other_first : own_first, key = keys_own ? own_first : other_first;
  const int64_t row = head * w.p.tokens_q + view.begin_q;
  const float *all_lse = w.lse + row, *all_delta = w.delta + row;
  unsigned masked = 0;
#pragma unroll
  for (int k = 0; k < (keys_own ? 4 : N); ++k)
    masked |= unsigned(view.masked(key + (keys_own ? row_group() * 4 + k : column_lane() + 8 * k))) << k;
#pragma unroll
  for (int outer = 0; outer < (keys_own ? N : 4); ++outer) {
    const int here = query + (keys_own ? column_lane() + 8 * outer : row_group() * 4 + outer);
    const bool exists = here < view.queries;
    const float lse = exists ? all_lse[here] : -INFINITY, delta = exists ? all_delta[here] : 0.f;
    const int limit = lse == -INFINITY ? 0 : view.key_limit(here);
    const float* bias = view.bias && limit > 0 ? view.bias_row(here) : nullptr;
#pragma unroll
    for (int inner = 0; inner < (keys_own ? 4 : N); ++inner) {
      const int there = key + (keys_own ? row_group() * 4 + inner : column_lane() + 8 * inner);
      float &score = keys_own ? s[inner][outer] : s[outer][inner], &d_score = keys_own ? d[inner][outer] : d[outer][inner];
      const bool seen = there < limit && (masked >> inner & 1u) == 0;
      if (bias && seen) score += bias[there];
      score = seen ? expf(score - lse) : 0.f;
      d_score = seen ? score * (d_score - delta) : 0.f;
    }
  }
}

// to_a: dK or dQ, to_b: dV.
template <int W, bool keys_own> __global__ void __launch_bounds__(kTileThreads, 2)
    attention_bwd_kernel(BackwardArrays w, const AttentionTile* tiles, float* to_a, float* to_b) {
  const AttentionArrays& p = w.p;
  using Tiles = BackwardTiles<W>;
  constexpr int kStep = Tiles::kColumns;
  const int own_heads = keys_own ? p.heads_kv : p.heads, heads = keys_own ? p.group : 1, slice = int(blockIdx.y) * 128;
  const AttentionBlock block(tiles, own_heads);
  const int first_head = block.head * heads, first = block.tile.first;
  AttentionView view(p, block.tile, first_head);
  const Tiles at(dynamic_shared<float>(), p);
  const BackwardSide own = keys_own ? key_side(w, view, first_head, first) : query_side(w, view, first_head, first);
  const int length = keys_own ? view.length_k : view.queries, rows = min(kTileRows, length - first);
  const int begin = keys_own ? view.query_begin(first) / kStep * kStep : 0;
  const int end = keys_own ? (first < view.keys ? view.queries : 0) : view.key_end(first + rows);

  float sum_a[4][W / 8] = {}, sum_b[4][W / 8] = {};
  if (at.own_stays) at.fetch_own(own);
  for (int head = first_head; head < first_head + heads; ++head) {
    view.set_bias(p, block.tile.sequence, head);
    for (int step = begin; step < end; step += kStep) {
      const BackwardSide other = keys_own ? query_side(w, view, head, step) : key_side(w, view, head, step);
      float s[4][kStep / 8] = {}, d[4][kStep / 8] = {};
      if (at.whole) at.fetch_other(other, 0);
      at.products(s, own.a, at.a, other.a, at.other_a);
      at.products(d, own.b, at.b, other.b, at.other_b);
      differentiate<keys_own>(w, view, head, first, step, s, d);
      if (!at.whole) at.fetch_other(other, slice);
      if (keys_own && to_b) {
        put_weights(at.weights, Tiles::kWeightRow, s);
        add_weighted_rows<W>(sum_b, at.weights, Tiles::kWeightRow, at.other_b, Tiles::kRow, kStep);
      }
      if (to_a) {
        put_weights(at.weights, Tiles::kWeightRow, d);
        add_weighted_rows<W>(sum_a, at.weights, Tiles::kWeightRow, at.other_a, Tiles::kRow, kStep);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = row_group() * 4 + i;
    if (r >= rows) continue;
    const int64_t row = ((keys_own ? view.begin_k : view.begin_q) + first + r) * own_heads + block.head;
    if (to_a) {
#pragma unroll
      for (int n = 0; n < W / 8; ++n) sum_a[i][n] *= keys_own ? 1.f : p.scale;  // q has it already
      ResultColumns<W>::store(to_a + row * p.dim + slice, sum_a[i], p.dim - slice, p.vectors);
    }
    if (to_b) ResultColumns<W>::store(to_b + row * p.dim_v + slice, sum_b[i], p.dim_v - slice, p.vectors);
  }
}

// A block per tile of 64 queries x kColumns keys of one bias: it goes over the sequences and heads that share it, in order.
template <int W> __global__ void __launch_bounds__(kTileThreads, 2)
    attention_bias_kernel(BackwardArrays w, const AttentionTile* first_tile, int sequences, int query_tiles, int key_tiles, float* d_bias) {
  const AttentionArrays& p = w.p;
  using Tiles = BackwardTiles<W>;
  constexpr int kStep = Tiles::kColumns;
  const int which = int(blockIdx.x) / (query_tiles * key_tiles), place = int(blockIdx.x) % (query_tiles * key_tiles);
  const int query = place / key_tiles * kTileRows, key = place % key_tiles * kStep;
  const int batch = which / p.bias_heads, bias_head = which % p.bias_heads;
  const int first_sequence = p.bias_batch == 1 ? 0 : batch, last_sequence = p.bias_batch == 1 ? sequences : batch + 1;
  const int first_head = p.bias_heads == 1 ? 0 : bias_head, last_head = p.bias_heads == 1 ? p.heads : bias_head + 1;
  AttentionTile tile = *first_tile;  // every sequence has these lengths
  const Tiles at(dynamic_shared<float>(), p);
  float sum[4][kStep / 8] = {};
  for (int sequence = first_sequence; sequence < last_sequence; ++sequence) {
    tile.sequence = sequence, tile.begin_q = sequence * tile.length_q, tile.begin_k = sequence * tile.length_k;
    AttentionView view(p, tile, first_head);
    if (key >= view.key_end(min(query + kTileRows, view.queries))) continue;
    for (int head = first_head; head < last_head; ++head) {
      view.set_bias(p, sequence, head);
      const BackwardSide own = query_side(w, view, head, query), other = key_side(w, view, head, key);
      float s[4][kStep / 8] = {}, d[4][kStep / 8] = {};
      if (at.own_stays) {
        __syncthreads();
        at.fetch_own(own);
      }
      if (at.whole) at.fetch_other(other, 0);
      at.products(s, own.a, at.a, other.a, at.other_a);
      at.products(d, own.b, at.b, other.b, at.other_b);
      differentiate<false>(w, view, head, query, key, s, d);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < kStep / 8; ++j) sum[i][j] += d[i][j];
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < kStep / 8; ++j) {
      const int row = query + row_group() * 4 + i, column = key + column_lane() + 8 * j;
      if (row < tile.length_q && column < tile.length_k)
        d_bias[(int64_t(which) * tile.length_q + row) * tile.length_k + column] = sum[i][j];
    }
}

// With own_stays and not whole, chunks would be fetched over one another; W is chosen so that own_stays implies whole.
template <int W>
static void exact_gradients(Call& call, const AttentionBwd& p, const BackwardArrays& w, float* d_q, float* d_k, float* d_v) {
  const size_t shared = size_t(BackwardTiles<W>::kSize) * sizeof(float);
  const unsigned slices = unsigned(std::max<int64_t>(1, ceil_div<int64_t>(std::max(p.dim, p.dim_v), 128)));
  if (d_q) {
    const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::queries, kTileRows);
    call.launch({{attention_blocks(tiles.size(), p.heads), slices}, kTileThreads, shared}, attention_bwd_kernel<W, false>, w,
                call.upload(tiles), d_q, static_cast<float*>(nullptr));
  }
  if (d_k || d_v) {
    const std::vector<AttentionTile> tiles = attention_tiles(p, TiledRows::keys, kTileRows);
    call.launch({{attention_blocks(tiles.size(), p.heads_kv), slices}, kTileThreads, shared}, attention_bwd_kernel<W, true>, w,
                call.upload(tiles), d_k, d_v);
  }
}

template <int W> static void bias_gradient(Call& call, const AttentionBwd& p, const BackwardArrays& w, float* d_bias) {
  const int64_t sequences = p.offsets_q.sequences(), query_tiles = ceil_div<int64_t>(p.length_q, kTileRows),
                key_tiles = ceil_div<int64_t>(p.length_k, BackwardTiles<W>::kColumns);
  if (sequences == 0 || p.heads == 0) return;  // no element, or nothing that shares it
  const std::vector<AttentionTile> first{{0, 0, int32_t(p.length_q), 0, int32_t(p.length_k), 0}};
  call.launch(
      {unsigned(p.bias_batch * p.bias_heads * query_tiles * key_tiles), kTileThreads, size_t(BackwardTiles<W>::kSize) * sizeof(float)},
      attention_bias_kernel<W>, w, call.upload(first), int(sequences), int(query_tiles), int(key_tiles), d_bias);
}

void attention_bwd(const AttentionBwd& p) {
  Call call;
  check_attention_call(call, p);
  BackwardArrays w{attention_arrays(call, p), call.in(p.d_out), call.in(p.lse), nullptr};
  const float* out = call.in(p.out);
  float *d_q = call.out(p.d_q), *d_k = call.out(p.d_k), *d_v = call.out(p.d_v), *d_bias = call.out(p.d_bias);
  w.p.vectors = w.p.vectors && at_16_bytes(w.d_out) && at_16_bytes(d_q) && at_16_bytes(d_k) && at_16_bytes(d_v);
  if (wants_bf16(p)) {
    if (d_q || d_k || d_v) attention_bwd_bf16(call, p, w.p, {out, w.d_out, w.lse, d_q, d_k, d_v});
    if (!d_bias) return call.finish();
    d_q = d_k = d_v = nullptr;  // the bias has its gradient in float32
  }
  float* delta = call.scratch<float>(p.tokens_q * p.heads);
  w.delta = delta;
  call.launch_elements(p.tokens_q * p.heads, attention_delta_kernel, w.p, out, w.d_out, delta);
  with_tile_width(std::max(p.dim, p.dim_v), [&]<int W>() {
    exact_gradients<W>(call, p, w, d_q, d_k, d_v);
    if (d_bias) bias_gradient<W>(call, p, w, d_bias);
  });
  call.finish();
}

}  // namespace uam::cuda
