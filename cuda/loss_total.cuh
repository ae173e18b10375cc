// The end of a loss: what its blocks have summed becomes one number.
#pragma once
#include "call.cuh"
#include "reduce.cuh"
#include "reduction.h"

namespace uam::cuda {

struct LossSum {
  double loss, weight;
};

// Of the block's threads, to sums[block].
__device__ inline void store_block_loss(double loss, double weight, LossSum* sums) {
  loss = block_sum(loss);
  weight = block_sum(weight);
  if (threadIdx.x == 0) sums[blockIdx.x] = {loss, weight};
}

// One block. The order depends on the number of sums alone.
static __global__ void loss_total_kernel(Reduction reduction, int64_t blocks, const LossSum* sums, float* loss, float* divisor) {
  double total = 0, weight = 0;
  if (reduction != Reduction::none) {
    for (int64_t b = threadIdx.x; b < blocks; b += blockDim.x) total += sums[b].loss, weight += sums[b].weight;
    total = block_sum(total);
    weight = block_sum(weight);
  }
  if (threadIdx.x != 0) return;
  const bool mean = reduction == Reduction::mean;
  divisor[0] = mean ? float(weight) : 1.f;
  if (reduction != Reduction::none) loss[0] = float(!mean ? total : weight > 0 ? total / weight : total * 0);
}

inline void finish_loss(Call& call, Reduction reduction, int64_t blocks, const LossSum* sums, float* loss, float* divisor) {
  call.launch({1, reduction == Reduction::none ? 32u : 512u}, loss_total_kernel, reduction, blocks, sums, loss, divisor);
}

// The slope of one element's loss, where all share one: dloss[0] over the divisor, 0 where nothing was kept.
__device__ inline float shared_slope(const float* divisor, const float* dloss) { return divisor[0] > 0 ? dloss[0] / divisor[0] : 0.f; }

}  // namespace uam::cuda
