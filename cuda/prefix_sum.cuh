// Running sums of counts, on the card: values[i] becomes the sum of all values before it.
#pragma once
#include "call.cuh"
#include "device.cuh"

namespace uam::cuda {

inline constexpr int kScanThreads = 256, kScanPerThread = 8, kScanTile = kScanThreads * kScanPerThread;

// Of the threads before this one, in a block of kScanThreads; `total` of all of them. Two barriers.
__device__ inline int32_t block_exclusive_sum(int32_t value, int32_t& total) {
  UAM_SHARED(int32_t, of_warp, [kScanThreads / 32]);
  const unsigned lane = threadIdx.x & 31u, warp = threadIdx.x >> 5;
  int32_t inclusive = value;
#pragma unroll
  for (unsigned by = 1; by < 32; by <<= 1) {
    const int32_t before = __shfl_up_sync(kWholeWarp, inclusive, by);
    if (lane >= by) inclusive += before;
  }
  __syncthreads();  // the sums of the call before may still be read
  if (lane == 31) of_warp[warp] = inclusive;
  __syncthreads();
  int32_t before = 0;
  total = 0;
#pragma unroll
  for (unsigned w = 0; w < kScanThreads / 32; ++w) {
    if (w < warp) before += of_warp[w];
    total += of_warp[w];
  }
  return before + inclusive - value;
}

// Replaces one tile's values by `before` + their running sums; returns the tile's total.
__device__ inline int32_t scan_tile(int64_t n, int64_t tile, int32_t before, int32_t* values) {
  const int64_t first = tile * kScanTile + threadIdx.x * kScanPerThread;
  int32_t own[kScanPerThread], sum = 0, total;
#pragma unroll
  for (int i = 0; i < kScanPerThread; ++i) {
    own[i] = first + i < n ? values[first + i] : 0;
    sum += own[i];
  }
  before += block_exclusive_sum(sum, total);
#pragma unroll
  for (int i = 0; i < kScanPerThread; ++i) {
    if (first + i < n) values[first + i] = before;
    before += own[i];
  }
  return total;
}

// One block, tile after tile.
static __global__ void __launch_bounds__(kScanThreads) scan_kernel(int64_t n, int32_t* values) {
  int32_t before = 0;
  for (int64_t tile = 0; tile * kScanTile < n; ++tile) before += scan_tile(n, tile, before, values);
}

static __global__ void __launch_bounds__(kScanThreads) sum_tiles_kernel(int64_t n, const int32_t* values, int32_t* of_tile) {
  const int64_t first = blockIdx.x * int64_t(kScanTile) + threadIdx.x;
  int32_t sum = 0, total;
#pragma unroll
  for (int i = 0; i < kScanPerThread; ++i) sum += first + i * kScanThreads < n ? values[first + i * kScanThreads] : 0;
  block_exclusive_sum(sum, total);
  if (threadIdx.x == 0) of_tile[blockIdx.x] = total;
}

static __global__ void __launch_bounds__(kScanThreads) scan_tiles_kernel(int64_t n, const int32_t* before_tile, int32_t* values) {
  scan_tile(n, blockIdx.x, before_tile[blockIdx.x], values);
}

inline void exclusive_sums(Call& call, int64_t n, int32_t* values) {
  const int64_t tiles = ceil_div<int64_t>(n, kScanTile);
  if (tiles <= 8) {  // sooner done than two more launches
    if (n > 0) call.launch({1, kScanThreads}, scan_kernel, n, values);
    return;
  }
  auto* of_tile = call.scratch<int32_t>(tiles);
  call.launch({unsigned(tiles), kScanThreads}, sum_tiles_kernel, n, values, of_tile);
  exclusive_sums(call, tiles, of_tile);
  call.launch({unsigned(tiles), kScanThreads}, scan_tiles_kernel, n, of_tile, values);
}

}  // namespace uam::cuda
