#include "neighbor_attention_rows.cuh"

namespace uam::cuda {

// The scores of 32 edges are found first, one a lane; then their values are summed. Keys and values are read once.
template <int LANES> __global__ void __launch_bounds__(kNeighborThreads, 4)
    neighbor_attention_fwd_kernel(NeighborArrays p, float* out, float* lse) {
  const int64_t row = first_element() / 32;
  if (row >= p.tokens_q * p.heads) return;
  const int64_t query = row / p.heads;
  const int head = int(row % p.heads), head_kv = head / p.group, slice = int(blockIdx.y) * kNeighborSlice;
  const LaneRows<LANES> lanes(p.vectors);
  const float* q = p.q + row * p.dim;
  const float4 q_part = lanes.part(q, p.dim);
  const int64_t begin = p.list_begin(query), end = p.list_end(query);
  float highest = -INFINITY, total = 0.f;
  float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
  for (int64_t base = begin; base < end; base += 32) {
    const int64_t edge = base + lanes.held();
    int key = edge < end ? p.indices[edge] : -1;
    if (key >= p.tokens_k) key = -1;  // reported, and not followed
    const int steps = ceil_div(int(min(end - base, int64_t(32))), lanes.kAtOnce);
    float score = -INFINITY;
#pragma unroll 4
    for (int step = 0; step < steps; ++step) {
      const int there = __shfl_sync(kWholeWarp, key, step, LANES);
      const float* k = p.k + (int64_t(max(there, 0)) * p.heads_kv + head_kv) * p.dim;
      const float4 k_part = there < 0 ? make_float4(0.f, 0.f, 0.f, 0.f) : lanes.part(k, p.dim);
      const float product = lanes.dot(q, q_part, k, k_part, there < 0 ? 0 : p.dim);
      if (step == lanes.lane) score = product;
    }
    score = key < 0 ? -INFINITY : score * p.scale + p.added_score(edge, head);
    const float before = highest;
    highest = Greater()(highest, warp_max(score));
    const float shift = highest == -INFINITY ? 0.f : highest;  // nothing seen yet: exp(-inf - 0) = 0
    const float weight = expf(score - shift), rescale = expf(before - shift);
    total = total * rescale + warp_sum(key < 0 ? 0.f : weight);
    multiply(sum, rescale);
#pragma unroll 4
    for (int step = 0; step < steps; ++step) {
      const int there = __shfl_sync(kWholeWarp, key, step, LANES);
      const float factor = __shfl_sync(kWholeWarp, weight, step, LANES);
      if (there >= 0) add_scaled(sum, factor, lanes.part(p.v + (int64_t(there) * p.heads_kv + head_kv) * p.dim_v, p.dim_v, slice));
    }
  }
  sum = lanes.sum_groups(sum);
  if (total == 0.f) sum = make_float4(0.f, 0.f, 0.f, 0.f);  // rows that saw nothing give 0 and -inf
  else multiply(sum, 1.f / total);
  lanes.put(out + row * p.dim_v, p.dim_v, slice, sum);
  if (threadIdx.x % 32 == 0 && slice == 0) lse[head * p.tokens_q + query] = highest == INFINITY ? highest : highest + logf(total);
}

void neighbor_attention_fwd(const NeighborAttentionFwd& p) {
  Call call;
  NeighborArrays arrays = neighbor_arrays(call, p);
  float *out = call.out(p.out), *lse = call.out(p.lse);
  arrays.vectors = arrays.vectors && reinterpret_cast<uintptr_t>(out) % 16 == 0;
  with_row_lanes(p, [&]<int LANES>() {
    call.launch(neighbor_grid(p.tokens_q, p.heads, p.dim_v), neighbor_attention_fwd_kernel<LANES>, arrays, out, lse);
  });
  call.finish();
}

}  // namespace uam::cuda
