// The second of two passes of sums per column: partial sums of blocks, added up in doubles in the order of the blocks.
#pragma once
#include "call.cuh"
#include "reduce.cuh"

namespace uam::cuda {

// to[group, column] = sum over `parts` rows of from[group, part, column], rows `stride` apart. Blocks of 32 columns by 32 threads.
template <class To>
static __global__ void column_totals_kernel(int64_t parts, int64_t stride, int64_t columns, int64_t tiles, const float* from, To* to) {
  UAM_SHARED(double, sums, [32][33]);
  const int x = int(threadIdx.x) % 32, y = int(threadIdx.x) / 32;
  const int64_t group = blockIdx.x / tiles, first = (blockIdx.x - group * tiles) * 32;
  double total = 0;
  if (first + x < columns)
    for (int64_t part = y; part < parts; part += 32) total += double(from[(group * parts + part) * stride + first + x]);
  sums[y][x] = total;
  __syncthreads();
  total = warp_sum(sums[x][y]);  // warp y has column y now
  if (x == 0 && first + y < columns) to[group * columns + first + y] = To(total);
}

template <class To>
void column_totals(Call& call, int64_t groups, int64_t parts, int64_t stride, int64_t columns, const float* from, To* to) {
  const int64_t tiles = ceil_div<int64_t>(columns, 32);
  call.launch({unsigned(groups * tiles), 1024}, column_totals_kernel<To>, parts, stride, columns, tiles, from, to);
}

}  // namespace uam::cuda
