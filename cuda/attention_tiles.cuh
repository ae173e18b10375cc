// What the kernels of attention share: which rows a block works on, which keys a query sees, and how the work is listed.
//
// A block owns a tile of rows (queries, or keys in the part of the backward pass that makes dK and dV) of one sequence and head,
// and goes over all rows of the other side. So every sum is made by one block, in the order of the rows: nothing depends on
// what else runs, and a packed sequence gives the bits that it gives alone.
#pragma once
#include <algorithm>
#include <memory>
#include <numeric>

#include "call.cuh"
#include "kernels/attention.h"
#include "kernels/attention_plan.h"

namespace uam::cuda {

// Rows [first, first + rows of a tile) of one sequence; all that a block must know to begin.
struct AttentionTile {
  int32_t sequence, begin_q, length_q, begin_k, length_k, first;
};

// AttentionProblem with addresses of the card.
struct AttentionArrays {
  int64_t tokens_q, tokens_k;
  int heads, heads_kv, group, dim, dim_v;
  int bias_batch, bias_heads;
  float scale;
  bool causal;
  bool vectors;  // rows of q, k, v (and of what belongs to them in the backward pass) begin at multiples of 16 bytes
  const float *q, *k, *v;
  const int32_t* k_lens;
  const uint8_t* key_mask;
  const float* bias;
};

// One sequence and head as a block sees it. Positions of queries and keys are counted from its beginning.
struct AttentionView {
  int64_t begin_q, begin_k;
  int queries, length_k, keys;  // keys: those before kLens
  int shift;                    // a causal query i sees the keys up to i + shift
  bool causal;
  const uint8_t* mask;
  const float* bias;  // [queries, length_k]

  __device__ AttentionView(const AttentionArrays& p, const AttentionTile& tile, int head)
      : begin_q(tile.begin_q),
        begin_k(tile.begin_k),
        queries(tile.length_q),
        length_k(tile.length_k),
        keys(tile.length_k),
        shift(tile.length_k - tile.length_q),
        causal(p.causal),
        mask(p.key_mask ? p.key_mask + tile.begin_k : nullptr),
        bias(nullptr) {
    if (p.k_lens) keys = min(max(p.k_lens[tile.sequence], 0), length_k);
    set_bias(p, tile.sequence, head);
  }
  __device__ void set_bias(const AttentionArrays& p, int sequence, int head) {
    if (!p.bias) return;
    const int64_t which = int64_t(p.bias_batch == 1 ? 0 : sequence) * p.bias_heads + (p.bias_heads == 1 ? 0 : head);
    bias = p.bias + which * queries * length_k;
  }
  // A query sees the keys below its limit that are not masked.
  __device__ int key_limit(int query) const { return query >= queries ? 0 : causal ? min(keys, query + shift + 1) : keys; }
  __device__ bool masked(int key) const { return mask && key < keys && mask[key] == 0; }
  // Whether every query of a tile sees every key of another, and there is no bias: nothing to ask for each score.
  __device__ bool all_plain(int query, int query_count, int key, int key_count) const {
    return !mask && !bias && query + query_count <= queries && key + key_count <= keys && (!causal || key + key_count - 1 <= query + shift);
  }
  // The end of the keys that any of the queries before `last` sees, and the first query that sees a key.
  __device__ int key_end(int last) const { return causal ? max(0, min(keys, last + shift)) : keys; }
  __device__ int query_begin(int key) const { return causal ? max(0, key - shift) : 0; }
  __device__ const float* bias_row(int query) const { return bias + int64_t(query) * length_k; }
};

// Which tile and head a block has: all heads of the tiles with the most work come first.
struct AttentionBlock {
  AttentionTile tile;
  int head;
  __device__ AttentionBlock(const AttentionTile* tiles, int heads)
      : tile(tiles[blockIdx.x / unsigned(heads)]), head(int(blockIdx.x % unsigned(heads))) {}
};

// ---- the host's side ----

enum class TiledRows { queries, keys };

// Tiles of all sequences, those with the most work first, in one order for given lengths.
inline std::vector<AttentionTile> attention_tiles(const AttentionProblem& p, TiledRows owned, int64_t rows) {
  std::vector<AttentionTile> tiles;
  std::vector<int64_t> work;
  for (int64_t s = 0; s < p.offsets_q.sequences(); ++s) {
    const int64_t queries = p.offsets_q.length(s), keys = p.offsets_k.length(s), shift = keys - queries;
    for (int64_t first = 0; first < (owned == TiledRows::queries ? queries : keys); first += rows) {
      tiles.push_back(
          {int32_t(s), int32_t(p.offsets_q.at(s)), int32_t(queries), int32_t(p.offsets_k.at(s)), int32_t(keys), int32_t(first)});
      int64_t cost = owned == TiledRows::queries ? keys : queries;
      if (p.causal && owned == TiledRows::queries) cost = std::clamp<int64_t>(first + rows + shift, 0, keys);
      if (p.causal && owned == TiledRows::keys) cost = queries - std::clamp<int64_t>(first - shift, 0, queries);
      work.push_back(cost);
    }
  }
  std::vector<int32_t> order(tiles.size());
  std::iota(order.begin(), order.end(), 0);
  const auto more = [&](int32_t a, int32_t b) { return work[size_t(a)] > work[size_t(b)]; };
  if (std::is_sorted(order.begin(), order.end(), more)) return tiles;
  std::stable_sort(order.begin(), order.end(), more);
  std::vector<AttentionTile> sorted;
  sorted.reserve(tiles.size());
  for (const int32_t i : order) sorted.push_back(tiles[size_t(i)]);
  return sorted;
}

// blocks = tiles x heads, in one dimension.
inline unsigned attention_blocks(size_t tiles, int64_t heads) {
  const int64_t blocks = int64_t(tiles) * heads;
  if (blocks > 0x7fffffff)
    throw KernelError("UAM_SHAPE", "attention over " + std::to_string(blocks) + " tiles is more than a launch holds");
  return unsigned(blocks);
}

static __global__ void attention_lengths_kernel(int64_t sequences, const int32_t* offsets, const int32_t* k_lens, Fault* fault) {
  for (int64_t s = first_element(); s < sequences; s += element_step())
    if (k_lens[s] < 0 || k_lens[s] > offsets[s + 1] - offsets[s]) report_fault(fault, s, k_lens[s]);
}

// Checks what fields() cannot judge. kLens on the card are looked at there, and told of when somebody waits.
inline void check_attention_call(Call& call, const AttentionProblem& p) {
  AttentionProblem on_host = p;
  if (p.k_lens.on_device) on_host.k_lens = {};
  check_attention(on_host);
  if (!p.k_lens.on_device) return;
  Fault* fault = call.fault([offsets = std::make_shared<Offsets>(p.offsets_k)](int64_t s, int32_t length) {
    throw KernelError("UAM_ARGUMENT", "kLens[" + std::to_string(s) + "] must lie in 0.." + std::to_string(offsets->length(s)) +
                                          ", received " + std::to_string(length));
  });
  const int64_t sequences = p.offsets_k.sequences();
  call.launch_elements(sequences, attention_lengths_kernel, sequences, call.upload(p.offsets_k), call.in(p.k_lens), fault);
}

inline bool at_16_bytes(const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; }

inline AttentionArrays attention_arrays(Call& call, const AttentionProblem& p) {
  AttentionArrays a{};
  a.tokens_q = p.tokens_q, a.tokens_k = p.tokens_k;
  a.heads = int(p.heads), a.heads_kv = int(p.heads_kv), a.group = int(p.heads / std::max<int64_t>(p.heads_kv, 1));
  a.dim = int(p.dim), a.dim_v = int(p.dim_v);
  a.bias_batch = int(p.bias_batch), a.bias_heads = int(p.bias_heads);
  a.scale = p.scale, a.causal = p.causal;
  a.q = call.in(p.q), a.k = call.in(p.k), a.v = call.in(p.v);
  a.k_lens = call.in(p.k_lens), a.key_mask = call.in(p.key_mask), a.bias = call.in(p.bias);
  a.vectors = p.dim % 4 == 0 && p.dim_v % 4 == 0 && at_16_bytes(a.q) && at_16_bytes(a.k) && at_16_bytes(a.v);
  return a;
}

}  // namespace uam::cuda
