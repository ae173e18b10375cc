// Attention over neighbours, one warp per query (or key) and head. `LANES` lanes share a row, four columns each, so a warp follows
// 32 / LANES edges at once; every lane holds what belongs to one of 32 edges (its index, its bias). A row wider than 128 columns is
// multiplied 128 at a time, and its results are made by several warps (slices of 128 columns).
//
// Every sum is made by one warp in the order of its list, so bits do not depend on what else runs.
#pragma once
#include "call.cuh"
#include "index_error.h"
#include "kernels/neighbor_attention.h"
#include "kernels/neighbor_attention_plan.h"
#include "reduce.cuh"

namespace uam::cuda {

inline constexpr int kNeighborThreads = 128, kNeighborSlice = 128;

// NeighborProblem with addresses of the card.
struct NeighborArrays {
  int64_t tokens_q, tokens_k, edges;
  int heads, heads_kv, group, dim, dim_v;
  float scale;
  bool vectors;  // rows begin at multiples of 16 bytes
  const int32_t *offsets, *indices;
  const float *q, *k, *v, *bias, *distances, *slopes;

  __device__ int64_t list_begin(int64_t query) const { return min(max(int64_t(offsets[query]), int64_t(0)), edges); }
  __device__ int64_t list_end(int64_t query) const { return min(max(int64_t(offsets[query + 1]), list_begin(query)), edges); }
  __device__ float added_score(int64_t edge, int head) const {
    const float here = bias ? bias[edge * heads + head] : 0.f;
    return slopes ? here + slopes[head] * distances[edge] : here;
  }
};

// The part of a row that a lane has.
template <int LANES> struct LaneRows {
  int lane, group;  // within the lanes of a row; which of the rows at once
  bool vectors;
  static constexpr int kAtOnce = 32 / LANES;
  __device__ explicit LaneRows(bool vectors) : lane(int(threadIdx.x) % LANES), group(int(threadIdx.x) % 32 / LANES), vectors(vectors) {}

  // The edge, of 32 in a row, that this lane holds: step after step, neighbouring groups follow neighbouring edges.
  __device__ int held() const { return lane * kAtOnce + group; }

  __device__ __forceinline__ float4 part(const float* row, int width, int first = 0) const {
    const int c = first + lane * 4;
    float4 x = make_float4(0.f, 0.f, 0.f, 0.f);
    if (c >= width) return x;
    if (vectors) return *reinterpret_cast<const float4*>(row + c);
    x.x = row[c];
    if (c + 1 < width) x.y = row[c + 1];
    if (c + 2 < width) x.z = row[c + 2];
    if (c + 3 < width) x.w = row[c + 3];
    return x;
  }
  __device__ void put(float* row, int width, int first, float4 x) const {
    const int c = first + lane * 4;
    if (group != 0 || c >= width) return;
    if (vectors) {
      *reinterpret_cast<float4*>(row + c) = x;
      return;
    }
    row[c] = x.x;
    if (c + 1 < width) row[c + 1] = x.y;
    if (c + 2 < width) row[c + 2] = x.z;
    if (c + 3 < width) row[c + 3] = x.w;
  }
  // <x, y> of two rows whose first parts are given, for every lane of the row. The same bits for x and y exchanged.
  __device__ __forceinline__ float dot(const float* x, float4 x_part, const float* y, float4 y_part, int width) const {
    float sum = add(0.f, x_part, y_part);
    if constexpr (LANES == 32)
#pragma unroll 1
      for (int c = kNeighborSlice; c < width; c += kNeighborSlice) sum = add(sum, part(x, width, c), part(y, width, c));
#pragma unroll
    for (int bits = LANES / 2; bits > 0; bits >>= 1) sum += __shfl_xor_sync(kWholeWarp, sum, bits);
    return sum;
  }
  // Of the groups, in every one of them.
  __device__ float4 sum_groups(float4 x) const {
#pragma unroll
    for (int bits = LANES; bits < 32; bits <<= 1) {
      x.x += __shfl_xor_sync(kWholeWarp, x.x, bits);
      x.y += __shfl_xor_sync(kWholeWarp, x.y, bits);
      x.z += __shfl_xor_sync(kWholeWarp, x.z, bits);
      x.w += __shfl_xor_sync(kWholeWarp, x.w, bits);
    }
    return x;
  }
  __device__ static float add(float sum, float4 x, float4 y) { return fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, sum)))); }
};
__device__ inline void add_scaled(float4& sum, float factor, float4 x) {
  sum.x = fmaf(factor, x.x, sum.x);
  sum.y = fmaf(factor, x.y, sum.y);
  sum.z = fmaf(factor, x.z, sum.z);
  sum.w = fmaf(factor, x.w, sum.w);
}
__device__ inline void multiply(float4& x, float factor) { x.x *= factor, x.y *= factor, x.z *= factor, x.w *= factor; }

// ---- the host's side ----

static __global__ void neighbor_indices_kernel(int64_t edges, int64_t tokens_k, const int32_t* indices, Fault* fault) {
  for (int64_t e = first_element(); e < edges; e += element_step())
    if (indices[e] < 0 || indices[e] >= tokens_k) report_fault(fault, e, indices[e]);
}

inline NeighborArrays neighbor_arrays(Call& call, const NeighborProblem& p) {
  check_neighbor_attention(p);
  NeighborArrays a{};
  a.tokens_q = p.tokens_q, a.tokens_k = p.tokens_k, a.edges = p.edges;
  a.heads = int(p.heads), a.heads_kv = int(p.heads_kv), a.group = int(p.heads / std::max<int64_t>(p.heads_kv, 1));
  a.dim = int(p.dim), a.dim_v = int(p.dim_v), a.scale = p.scale;
  a.offsets = call.upload(p.offsets), a.indices = call.in(p.indices);
  a.q = call.in(p.q), a.k = call.in(p.k), a.v = call.in(p.v);
  a.bias = call.in(p.bias), a.distances = call.in(p.distances), a.slopes = call.in(p.slopes);
  a.vectors = p.dim % 4 == 0 && p.dim_v % 4 == 0;
  for (const float* row : {a.q, a.k, a.v}) a.vectors = a.vectors && reinterpret_cast<uintptr_t>(row) % 16 == 0;
  Fault* fault = call.fault([tokens_k = p.tokens_k](int64_t edge, int32_t index) { reject_index("indices", edge, index, tokens_k); });
  call.launch_elements(p.edges, neighbor_indices_kernel, p.edges, p.tokens_k, a.indices, fault);
  return a;
}

// A warp per row and head.
inline Grid neighbor_grid(int64_t rows, int64_t heads, int64_t width) {
  const int64_t blocks = ceil_div<int64_t>(rows * heads, kNeighborThreads / 32);
  if (blocks > 0x7fffffff)
    throw KernelError("UAM_SHAPE", "neighborAttention: " + std::to_string(rows) + " rows are more than a launch holds");
  return {{unsigned(blocks), unsigned(std::max<int64_t>(1, ceil_div<int64_t>(width, kNeighborSlice)))}, kNeighborThreads};
}

// Calls run.template operator()<LANES>() with as few lanes as hold a row.
template <class Run> void with_row_lanes(const NeighborProblem& p, Run&& run) {
  const int64_t width = std::max(p.dim, p.dim_v);
  if (width <= 16) run.template operator()<4>();
  else if (width <= 32) run.template operator()<8>();
  else if (width <= 64) run.template operator()<16>();
  else run.template operator()<32>();
}

}  // namespace uam::cuda
