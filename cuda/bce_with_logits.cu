#include "kernels/bce_with_logits.h"

#include "call.cuh"
#include "loss_total.cuh"

namespace uam::cuda {

// A block takes kBlock elements, thread t of it t, t + 256, ...: neighbours in memory at every load, whatever the alignment.
inline constexpr int kThreads = 256, kPerThread = 16, kBlock = kThreads * kPerThread;

struct BceElements {
  int64_t n, columns;
  const float *x, *target, *pos_weight;
  const uint8_t* keep;

  // visit(element, x, target, weight of positives, kept) for the elements of this thread
  template <class Visit> __device__ __forceinline__ void each(Visit&& visit) const {
    const int64_t first = blockIdx.x * int64_t(kBlock) + threadIdx.x;
    // The column moves on with the element, without a division for each.
    const int64_t step = pos_weight ? kThreads % columns : 0;
    int64_t column = pos_weight ? first % columns : 0;
#pragma unroll 4
    for (int j = 0; j < kPerThread; ++j) {
      const int64_t i = first + j * kThreads;
      if (i >= n) break;
      visit(i, x[i], target[i], pos_weight ? pos_weight[column] : 1.f, !keep || keep[i] != 0);
      column += step;
      if (column >= columns) column -= columns;
    }
  }
};

__global__ void __launch_bounds__(kThreads) bce_with_logits_fwd_kernel(BceElements p, bool reduced, float* loss_of, LossSum* sums) {
  float total = 0.f;
  int kept_count = 0;
  p.each([&](int64_t i, float x, float t, float v, bool kept) {
    const float positive = v * t, negative = 1.f - t;
    const float linear = x < 0.f ? -positive * x : negative * x;
    const float loss = kept ? fmaf(negative + positive, log1pf(expf(-fabsf(x))), linear) : 0.f;
    if (reduced) total += loss, kept_count += kept;
    else loss_of[i] = loss;
  });
  if (reduced) store_block_loss(total, kept_count, sums);
}

__global__ void __launch_bounds__(kThreads)
    bce_with_logits_bwd_kernel(BceElements p, bool reduced, const float* divisor, const float* dloss, float* dx) {
  const float shared = reduced ? shared_slope(divisor, dloss) : 0.f;
  p.each([&](int64_t i, float x, float t, float v, bool kept) {
    const float g = reduced ? shared : dloss[i];
    const float e = expf(-fabsf(x)), large = 1.f / (1.f + e), small = e * large;  // sigmoid(|x|), sigmoid(-|x|)
    const float up = x < 0.f ? small : large, down = x < 0.f ? large : small;
    dx[i] = kept ? g * fmaf(-v * t, down, (1.f - t) * up) : 0.f;
  });
}

template <class P> static BceElements elements_of(Call& call, const P& p) {
  return {p.rows * p.columns, p.columns, call.in(p.x), call.in(p.target), call.in(p.pos_weight), call.in(p.keep)};
}

void bce_with_logits_fwd(const BceWithLogitsFwd& p) {
  Call call;
  const BceElements elements = elements_of(call, p);
  float *loss = call.out(p.loss), *divisor = call.out(p.divisor);
  const int64_t blocks = ceil_div<int64_t>(elements.n, kBlock);
  auto* sums = call.scratch<LossSum>(blocks);
  call.launch({unsigned(blocks), kThreads}, bce_with_logits_fwd_kernel, elements, p.reduction != Reduction::none, loss, sums);
  finish_loss(call, p.reduction, blocks, sums, loss, divisor);
  call.finish();
}

void bce_with_logits_bwd(const BceWithLogitsBwd& p) {
  Call call;
  const BceElements elements = elements_of(call, p);
  const float *divisor = call.in(p.divisor), *dloss = call.in(p.dloss);
  float* dx = call.out(p.dx);
  call.launch({unsigned(ceil_div<int64_t>(elements.n, kBlock)), kThreads}, bce_with_logits_bwd_kernel, elements,
              p.reduction != Reduction::none, divisor, dloss, dx);
  call.finish();
}

}  // namespace uam::cuda
