#include "kernels/moe_combine.h"

#include "call.cuh"
#include "index_error.h"
#include "moe_dispatch_slots.cuh"
#include "reduce.cuh"
#include "row_vectors.cuh"

namespace uam::cuda {

template <int kFloats> __global__ void moe_combine_fwd_kernel(int64_t tokens, int64_t width, SlotsOfTokens slots, const float* rows,
                                                              const float* weights, float* out) {
  const int64_t t = row_of_thread();
  if (t >= tokens) return;
  for (int64_t i = threadIdx.x * int64_t(kFloats); i < width; i += blockDim.x * kFloats) {
    Floats<kFloats> total = {};
    slots.each(t, [&](int64_t row, int64_t choice) {
      const auto part = load_floats<kFloats>(rows + row * width + i);
      const float weight = weights[choice];
#pragma unroll
      for (int f = 0; f < kFloats; ++f) total.at[f] = fmaf(weight, part.at[f], total.at[f]);
    });
    store_floats(out + t * width + i, total);
  }
}

template <int kFloats> __global__ void combine_rows_bwd_kernel(int64_t slots, int64_t width, int64_t k, int64_t choices,
                                                               const float* weights, const int32_t* order, const float* dout, float* drows,
                                                               Fault* fault) {
  const int64_t s = row_of_thread();
  if (s >= slots) return;
  const int32_t choice = order[s];
  if (choice < 0 || choice >= choices) {
    if (threadIdx.x == 0) report_fault(fault, s, choice);
    return;
  }
  const float weight = weights[choice];
  const float* from = dout + choice / int32_t(k) * width;
  for (int64_t i = threadIdx.x * int64_t(kFloats); i < width; i += blockDim.x * kFloats) {
    auto slope = load_floats<kFloats>(from + i);
#pragma unroll
    for (int f = 0; f < kFloats; ++f) slope.at[f] *= weight;
    store_floats(drows + s * width + i, slope);
  }
}

// A warp per choice.
template <int kFloats> __global__ void combine_weights_bwd_kernel(int64_t choices, int64_t width, SlotsOfTokens slots, const float* rows,
                                                                  const float* dout, float* dweights) {
  const int lane = int(threadIdx.x % 32);
  for (int64_t choice = first_element() / 32; choice < choices; choice += element_step() / 32) {
    const int64_t row = slots.row_of(choice);
    const float *a = rows + row * width, *b = dout + int32_t(choice) / int32_t(slots.k) * width;
    float sum = 0.f;
    for (int64_t i = row < 0 ? width : lane * kFloats; i < width; i += 32 * kFloats) {
      const auto x = load_floats<kFloats>(a + i), y = load_floats<kFloats>(b + i);
#pragma unroll
      for (int f = 0; f < kFloats; ++f) sum = fmaf(x.at[f], y.at[f], sum);
    }
    sum = warp_sum(sum);
    if (lane == 0) dweights[choice] = sum;
  }
}

void moe_combine_fwd(const MoeCombineFwd& p) {
  Call call;
  const float *rows = call.in(p.rows), *weights = call.in(p.weights);
  const SlotsOfTokens slots = slots_of_tokens(call, p);
  float* out = call.out(p.out);
  with_vector_size(p.width, {rows, out}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    call.launch(row_grid(p.tokens, p.width / kFloats), moe_combine_fwd_kernel<kFloats>, p.tokens, p.width, slots, rows, weights, out);
  });
  call.finish();
}

void moe_combine_bwd(const MoeCombineBwd& p) {
  Call call;
  const float *rows = call.in(p.rows), *weights = call.in(p.weights), *dout = call.in(p.dout);
  const int32_t* order = call.in(p.order);
  float *drows = call.out(p.drows), *dweights = call.out(p.dweights);
  const int64_t choices = p.tokens * p.k;
  with_vector_size(p.width, {rows, dout, drows}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    if (drows) {
      Fault* fault = call.fault([=](int64_t place, int32_t value) { reject_index("order", place, value, choices); });
      call.launch(row_grid(p.slots, p.width / kFloats), combine_rows_bwd_kernel<kFloats>, p.slots, p.width, p.k, choices, weights, order,
                  dout, drows, fault);
    }
    if (dweights)
      call.launch_elements(choices * 32, combine_weights_bwd_kernel<kFloats>, choices, p.width, slots_of_tokens(call, p), rows, dout,
                           dweights);
  });
  call.finish();
}

}  // namespace uam::cuda
