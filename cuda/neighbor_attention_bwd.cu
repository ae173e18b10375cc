// A pass over the queries makes dQ, dBias and what each query adds to dSlopes; a pass over the keys, along the edges that lead to
// each, makes dK and dV. Both find the probabilities again from lse.
#include "neighbor_attention_incoming.cuh"
#include "neighbor_attention_rows.cuh"

namespace uam::cuda {

struct NeighborGradients {
  NeighborArrays p;
  IncomingLists incoming;
  const float *out, *d_out, *lse, *delta;
  float *d_q, *d_k, *d_v, *d_bias;
  float* slope_parts;  // [heads, tokensQ]
};

// delta[head, query] = <dOut, out>, summed in the order of the products with V: a list of one key has a gradient of zero.
template <int LANES> __global__ void neighbor_delta_kernel(NeighborArrays p, const float* out, const float* d_out, float* delta) {
  const LaneRows<LANES> lanes(p.vectors);
  const int64_t rows = p.tokens_q * p.heads;
  for (int64_t base = first_element() / 32 * lanes.kAtOnce; base < rows; base += element_step() / 32 * lanes.kAtOnce) {
    const int64_t row = base + lanes.group, there = row < rows ? row : rows - 1;
    const float *x = d_out + there * p.dim_v, *y = out + there * p.dim_v;
    const float sum = lanes.dot(x, lanes.part(x, p.dim_v), y, lanes.part(y, p.dim_v), p.dim_v);
    if (lanes.lane == 0 && row < rows) delta[row % p.heads * p.tokens_q + row / p.heads] = sum;
  }
}

// A warp per query and head (keys_own false), or per key and key/value head. `a` are rows of q and k, `b` those of dOut and v.
template <int LANES, bool keys_own> __global__ void __launch_bounds__(kNeighborThreads, 4)
    neighbor_attention_bwd_kernel(NeighborGradients w) {
  const NeighborArrays& p = w.p;
  const int own_heads = keys_own ? p.heads_kv : p.heads, other_heads = keys_own ? p.heads : p.heads_kv;
  const int64_t row = first_element() / 32;
  if (row >= (keys_own ? p.tokens_k : p.tokens_q) * own_heads) return;
  const int64_t own = row / own_heads;
  const int own_head = int(row % own_heads), slice = int(blockIdx.y) * kNeighborSlice;
  const LaneRows<LANES> lanes(p.vectors);
  const float *a = (keys_own ? p.k : p.q) + row * p.dim, *b = (keys_own ? p.v : w.d_out) + row * p.dim_v;
  const float *other_a = keys_own ? p.q : p.k, *other_b = keys_own ? w.d_out : p.v;
  const float4 a_part = lanes.part(a, p.dim), b_part = lanes.part(b, p.dim_v), zero = make_float4(0.f, 0.f, 0.f, 0.f);
  const int64_t begin = keys_own ? w.incoming.start[own] : p.list_begin(own), end = keys_own ? w.incoming.start[own + 1] : p.list_end(own);
  float4 sum_a = zero, sum_b = zero;
  float slope = 0.f;
  for (int head = keys_own ? own_head * p.group : own_head; head < (keys_own ? (own_head + 1) * p.group : own_head + 1); ++head) {
    const int other_head = keys_own ? head : head / p.group;
    for (int64_t base = begin; base < end; base += 32) {
      // What this lane holds of one edge: its number, the row at its other end, what it adds to the score, its query's lse and delta.
      const int64_t place = base + lanes.held();
      int64_t edge = place;
      int other = -1;
      float added = 0.f, lse = -INFINITY, delta = 0.f;
      if (place < end) {
        if (keys_own) edge = w.incoming.edge[place];
        other = keys_own ? w.incoming.query[edge] : p.indices[edge];
        if (other >= (keys_own ? p.tokens_q : p.tokens_k)) other = -1;  // reported, and not followed
        added = p.added_score(edge, head);
        const int64_t query = head * p.tokens_q + (keys_own ? other : own);
        lse = w.lse[query], delta = w.delta[query];
        if (lse == -INFINITY) other = -1;  // it saw nothing
      }
      const int steps = ceil_div(int(min(end - base, int64_t(32))), lanes.kAtOnce);
      float held = 0.f;
#pragma unroll 2
      for (int step = 0; step < steps; ++step) {
        const int there = __shfl_sync(kWholeWarp, other, step, LANES);
        const int64_t at = int64_t(max(there, 0)) * other_heads + other_head;
        const float *x = other_a + at * p.dim, *y = other_b + at * p.dim_v;
        const float4 x_part = there < 0 ? zero : lanes.part(x, p.dim), y_part = there < 0 ? zero : lanes.part(y, p.dim_v);
        const float score = lanes.dot(a, a_part, x, x_part, there < 0 ? 0 : p.dim);
        const float product = lanes.dot(b, b_part, y, y_part, there < 0 ? 0 : p.dim_v);
        const float here = score * p.scale + __shfl_sync(kWholeWarp, added, step, LANES);
        const float weight = expf(here - __shfl_sync(kWholeWarp, lse, step, LANES));
        const float d_score = weight * (product - __shfl_sync(kWholeWarp, delta, step, LANES));
        if (there < 0) continue;
        if (step == lanes.lane) held = d_score;
        add_scaled(sum_a, d_score, slice == 0 ? x_part : lanes.part(x, p.dim, slice));
        if (keys_own) add_scaled(sum_b, weight, slice == 0 ? y_part : lanes.part(y, p.dim_v, slice));
      }
      if (!keys_own && slice == 0 && place < end) {
        if (w.d_bias) w.d_bias[edge * p.heads + head] = held;
        if (p.distances) slope = fmaf(held, p.distances[edge], slope);
      }
    }
  }
  float *to_a = keys_own ? w.d_k : w.d_q, *to_b = keys_own ? w.d_v : nullptr;
  if (to_a) {
    sum_a = lanes.sum_groups(sum_a);
    multiply(sum_a, p.scale);
    lanes.put(to_a + row * p.dim, p.dim, slice, sum_a);
  }
  if (to_b) lanes.put(to_b + row * p.dim_v, p.dim_v, slice, lanes.sum_groups(sum_b));
  if (!keys_own && w.slope_parts && slice == 0) {
    slope = warp_sum(slope);
    if (threadIdx.x % 32 == 0) w.slope_parts[own_head * p.tokens_q + own] = slope;
  }
}

// dSlopes[head] = sum over the queries, a block per head.
__global__ void neighbor_slopes_kernel(int64_t tokens_q, const float* parts, float* d_slopes) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < tokens_q; i += blockDim.x) sum += double(parts[blockIdx.x * tokens_q + i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) d_slopes[blockIdx.x] = float(sum);
}

void neighbor_attention_bwd(const NeighborAttentionBwd& p) {
  Call call;
  NeighborGradients w{};
  w.p = neighbor_arrays(call, p);
  w.out = call.in(p.out), w.d_out = call.in(p.d_out), w.lse = call.in(p.lse);
  w.d_q = call.out(p.d_q), w.d_k = call.out(p.d_k), w.d_v = call.out(p.d_v), w.d_bias = call.out(p.d_bias);
  float *d_slopes = call.out(p.d_slopes), *delta = call.scratch<float>(p.tokens_q * p.heads);
  for (const float* rows :
       {w.out, w.d_out, static_cast<const float*>(w.d_q), static_cast<const float*>(w.d_k), static_cast<const float*>(w.d_v)})
    w.p.vectors = w.p.vectors && reinterpret_cast<uintptr_t>(rows) % 16 == 0;
  w.delta = delta;
  if (d_slopes) w.slope_parts = call.scratch<float>(p.tokens_q * p.heads);
  if (w.d_k || w.d_v) w.incoming = incoming_lists(call, p.tokens_q, p.tokens_k, p.edges, w.p.offsets, w.p.indices);
  const int64_t width = std::max(p.dim, p.dim_v);
  with_row_lanes(p, [&]<int LANES>() {
    call.launch_elements(p.tokens_q * p.heads * LANES, neighbor_delta_kernel<LANES>, w.p, w.out, w.d_out, delta);
    if (w.d_q || w.d_bias || d_slopes)
      call.launch(neighbor_grid(p.tokens_q, p.heads, p.dim), neighbor_attention_bwd_kernel<LANES, false>, w);
    if (w.d_k || w.d_v) call.launch(neighbor_grid(p.tokens_k, p.heads_kv, width), neighbor_attention_bwd_kernel<LANES, true>, w);
  });
  if (w.slope_parts) call.launch({unsigned(p.heads), 256}, neighbor_slopes_kernel, p.tokens_q, w.slope_parts, d_slopes);
  call.finish();
}

}  // namespace uam::cuda
