#include "kernels/cross_entropy.h"

#include "call.cuh"
#include "index_error.h"
#include "loss_total.cuh"
#include "row_group.cuh"

namespace uam::cuda {

struct CrossEntropyRows {
  int64_t rows, classes;
  int32_t ignore_index;
  float label_smoothing;
  const float* logits;
  const int32_t* target;
  const float* class_weight;
  Fault* fault;

  __device__ float weight_of(int64_t c) const { return class_weight ? class_weight[c] : 1.f; }

  // Of all threads of the block; only smoothing asks for it.
  __device__ float total_weight() const {
    if (label_smoothing == 0) return 0.f;
    double total = 0;
    for (int64_t c = threadIdx.x; c < classes; c += blockDim.x) total += weight_of(c);
    return float(block_sum(total));
  }

  // Whether the row counts; a target that is no class is reported, and counts not.
  __device__ bool kept(int64_t row, int32_t& y, bool speaks) const {
    y = row < rows ? target[row] : ignore_index;
    if (y == ignore_index) return false;
    if (y >= 0 && y < classes) return true;
    if (speaks) report_fault(fault, row, y);
    return false;
  }
};

template <int kLanes, bool kWide> __global__ void __launch_bounds__(kRowThreads)
    cross_entropy_fwd_kernel(CrossEntropyRows p, bool reduced, float* loss_of_row, LossSum* sums) {
  const int64_t first = blockIdx.x * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const bool speaks = threadIdx.x % kLanes == 0;
  const float smoothing = p.label_smoothing / float(p.classes), total_weight = p.total_weight();
  double loss_sum = 0, weight_sum = 0;
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t r = first + pass * rows_per_pass<kLanes>();
    int32_t y;
    const bool kept = p.kept(r, y, speaks);
    const Row<kLanes, kWide> row(p.logits + r * p.classes, p.classes, kept);
    const float highest = row.max(), log_sum = logf(row.sum_of_exponentials(highest));
    float smoothed = 0.f;
    if (p.label_smoothing != 0) {
      row.each([&](int64_t c, float x) { smoothed = fmaf(p.weight_of(c), x - highest, smoothed); });
      smoothed = row_sum<kLanes>(smoothed);
    }
    if (!speaks) continue;
    float loss = 0.f;
    if (kept) {
      const float weight = p.weight_of(y);
      // -log p[c] = log(sum of exponentials) - (x[c] - highest)
      loss = (1.f - p.label_smoothing) * weight * (log_sum - (row.from[y] - highest));
      if (p.label_smoothing != 0) loss = fmaf(smoothing, fmaf(total_weight, log_sum, -smoothed), loss);
      weight_sum += weight;
    }
    if (reduced) loss_sum += loss;
    else if (r < p.rows) loss_of_row[r] = loss;
  }
  if (reduced) store_block_loss(loss_sum, weight_sum, sums);
}

template <int kLanes, bool kWide> __global__ void __launch_bounds__(kRowThreads)
    cross_entropy_bwd_kernel(CrossEntropyRows p, bool reduced, const float* divisor, const float* dloss, float* dlogits) {
  const int64_t first = blockIdx.x * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const float smoothing = p.label_smoothing / float(p.classes), total_weight = p.total_weight();
  const float shared = reduced ? shared_slope(divisor, dloss) : 0.f;
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t r = first + pass * rows_per_pass<kLanes>();
    int32_t y;
    const bool kept = p.kept(r, y, threadIdx.x % kLanes == 0);
    const Row<kLanes, kWide> row(p.logits + r * p.classes, p.classes, r < p.rows);
    const float highest = row.max(), sum = row.sum_of_exponentials(highest);
    const float g = !kept ? 0.f : reduced ? shared : dloss[r];
    const float hit = kept ? g * (1.f - p.label_smoothing) * p.weight_of(y) : 0.f;
    const float share = fmaf(g, smoothing * total_weight, hit) / sum, spread = g * smoothing;
    row.each([&](int64_t c, float x) {
      float slope = share * expf(x - highest);
      if (p.label_smoothing != 0) slope = fmaf(-spread, p.weight_of(c), slope);
      dlogits[r * p.classes + c] = !kept ? 0.f : c == y ? slope - hit : slope;
    });
  }
}

template <class P> static CrossEntropyRows rows_of(Call& call, const P& p) {
  if (p.classes < 1) throw KernelError("UAM_SHAPE", "logits must have at least one class");
  const int64_t classes = p.classes;
  Fault* fault = call.fault([=](int64_t place, int32_t value) { reject_index("target", place, value, classes, ", or ignoreIndex"); });
  return {p.rows, p.classes, p.ignore_index, p.label_smoothing, call.in(p.logits), call.in(p.target), call.in(p.class_weight), fault};
}

void cross_entropy_fwd(const CrossEntropyFwd& p) {
  Call call;
  const CrossEntropyRows rows = rows_of(call, p);
  float *loss = call.out(p.loss), *divisor = call.out(p.divisor);
  with_row_shape(p.classes, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    const int64_t blocks = ceil_div(p.rows, rows_per_block<kLanes>());
    auto* sums = call.scratch<LossSum>(blocks);
    call.launch({unsigned(blocks), kRowThreads}, cross_entropy_fwd_kernel<kLanes, shape.kWide>, rows, p.reduction != Reduction::none, loss,
                sums);
    finish_loss(call, p.reduction, blocks, sums, loss, divisor);
  });
  call.finish();
}

void cross_entropy_bwd(const CrossEntropyBwd& p) {
  Call call;
  const CrossEntropyRows rows = rows_of(call, p);
  const float *divisor = call.in(p.divisor), *dloss = call.in(p.dloss);
  float* dlogits = call.out(p.dlogits);
  with_row_shape(p.classes, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    call.launch({unsigned(ceil_div(p.rows, rows_per_block<kLanes>())), kRowThreads}, cross_entropy_bwd_kernel<kLanes, shape.kWide>, rows,
                p.reduction != Reduction::none, divisor, dloss, dlogits);
  });
  call.finish();
}

}  // namespace uam::cuda
