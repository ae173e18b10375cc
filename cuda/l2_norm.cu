#include "kernels/l2_norm.h"

#include "quads.cuh"
#include "reduce.cuh"

namespace uam::cuda {

// Each block sums its share, which depends on n alone, in doubles; one block adds those sums up.
template <bool kAligned> __global__ void square_sums_kernel(int64_t n, const float* x, double* sums) {
  double total = 0;
  for_quads(n, [&](int64_t i, int64_t count) {
    const Quad four = load_quad<kAligned>(x + i, count);
#pragma unroll
    for (int k = 0; k < 4; ++k) total = fma(double(four.v[k]), double(four.v[k]), total);
  });
  total = block_sum(total);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

__global__ void norm_kernel(int64_t blocks, const double* sums, float* norm) {
  double total = 0;
  for (int64_t b = threadIdx.x; b < blocks; b += blockDim.x) total += sums[b];
  total = block_sum(total);
  if (threadIdx.x == 0) *norm = float(sqrt(total));
}

void l2_norm(const L2Norm& p) {
  constexpr int64_t kMostBlocks = 1024;
  Call call;
  const float* x = call.in(p.x);
  float* norm = call.out(p.norm);
  const int64_t blocks = std::min<int64_t>(ceil_div<int64_t>(quads_of(p.n), 256), kMostBlocks);
  double* sums = call.scratch<double>(blocks);
  call.launch({unsigned(blocks), 256}, on_16_bytes(x) ? square_sums_kernel<true> : square_sums_kernel<false>, p.n, x, sums);
  call.launch({1, 256}, norm_kernel, blocks, sums, norm);
  call.finish();
}

}  // namespace uam::cuda
