// The edges that lead to each key, in the order of the edges: counted and placed with integer atomics, which leaves the order of a
// list to chance, and then sorted.
#pragma once
#include "call.cuh"

namespace uam::cuda {

struct IncomingLists {
  const int32_t *start, *edge;  // [tokensK + 1], [edges]
  const int32_t* query;         // [edges]: whose list an edge (by its number) stands on
};

static __global__ void incoming_count_kernel(int64_t edges, int64_t tokens_k, const int32_t* indices, int32_t* count) {
  for (int64_t e = first_element(); e < edges; e += element_step()) {
    const int32_t key = indices[e];
    if (key >= 0 && key < tokens_k) atomicAdd(count + key, 1);
  }
}

inline constexpr int kScanThreads = 256, kScanEach = 4, kScanBlock = kScanThreads * kScanEach;

// The sum of the values of the threads before this one; `total` of all. 256 threads.
__device__ inline int32_t sum_before(int32_t value, int32_t& total) {
  UAM_SHARED(int32_t, warp_sums, [kScanThreads / 32]);
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
  int32_t up_to = value;
#pragma unroll
  for (int by = 1; by < 32; by <<= 1) {
    const int32_t below = __shfl_up_sync(kWholeWarp, up_to, by);
    if (lane >= by) up_to += below;
  }
  __syncthreads();  // the sums of the call before are read
  if (lane == 31) warp_sums[warp] = up_to;
  __syncthreads();
  int32_t before = 0;
  total = 0;
#pragma unroll
  for (int w = 0; w < kScanThreads / 32; ++w) {
    if (w < warp) before += warp_sums[w];
    total += warp_sums[w];
  }
  return before + up_to - value;
}
// start[i] = sum of the counts before i in its block of 1024.
static __global__ void incoming_scan_kernel(int64_t n, const int32_t* count, int32_t* start, int32_t* block_totals) {
  const int64_t first = blockIdx.x * int64_t(kScanBlock) + threadIdx.x * kScanEach;
  int32_t values[kScanEach], sum = 0, total;
#pragma unroll
  for (int i = 0; i < kScanEach; ++i) sum += values[i] = first + i < n ? count[first + i] : 0;
  int32_t before = sum_before(sum, total);
#pragma unroll
  for (int i = 0; i < kScanEach; ++i) {
    if (first + i < n) start[first + i] = before;
    before += values[i];
  }
  if (threadIdx.x == 0) block_totals[blockIdx.x] = total;
}
// One block: totals become the sums before them.
static __global__ void incoming_totals_kernel(int64_t blocks, int32_t* totals) {
  int32_t carry = 0;
  for (int64_t base = 0; base < blocks; base += kScanThreads) {
    const int64_t i = base + threadIdx.x;
    int32_t total;
    const int32_t before = sum_before(i < blocks ? totals[i] : 0, total);
    if (i < blocks) totals[i] = carry + before;
    carry += total;
  }
}
static __global__ void incoming_start_kernel(int64_t n, const int32_t* totals, const int32_t* count, int32_t* start) {
  for (int64_t i = first_element(); i < n; i += element_step()) {
    start[i] += totals[i / kScanBlock];
    if (i == n - 1) start[n] = start[i] + count[i];
  }
}
static __global__ void incoming_place_kernel(int64_t edges, int64_t tokens_k, const int32_t* indices, const int32_t* start, int32_t* count,
                                             int32_t* edge) {
  for (int64_t e = first_element(); e < edges; e += element_step()) {
    const int32_t key = indices[e];
    if (key >= 0 && key < tokens_k) edge[start[key] + atomicSub(count + key, 1) - 1] = int32_t(e);
  }
}

// Sorts list[0 .. n) in place by `threads` threads: Batcher's bitonic network, in which the lower place always gets the smaller
// number, so that places beyond n may be thought to hold infinity.
template <class Barrier> __device__ void sort_list(int32_t* list, int64_t n, int thread, int threads, Barrier&& barrier) {
  int64_t places = 2;
  while (places < n) places *= 2;
  for (int64_t size = 2; size <= places && n > 1; size *= 2)
    for (int64_t step = size / 2; step > 0; step /= 2) {
      barrier();
      for (int64_t i = thread; i < places / 2; i += threads) {
        const int64_t within = i & (step - 1), low = 2 * i - within;
        const int64_t high = step == size / 2 ? low - within + size - 1 - within : low + step;
        if (high >= n || list[low] <= list[high]) continue;
        const int32_t smaller = list[high];
        list[high] = list[low];
        list[low] = smaller;
      }
    }
  barrier();
}

// A warp for each list; the whole block for those that are long.
inline constexpr int kSortThreads = 128, kSortWarps = kSortThreads / 32, kLongList = 512;
static __global__ void incoming_sort_kernel(int64_t keys, const int32_t* start, int32_t* edge) {
  const int64_t first = blockIdx.x * int64_t(kSortWarps), own = first + threadIdx.x / 32;
  if (own < keys && start[own + 1] - start[own] <= kLongList)
    sort_list(edge + start[own], start[own + 1] - start[own], int(threadIdx.x) % 32, 32, [] { __syncwarp(); });
  for (int64_t key = first; key < min(first + kSortWarps, keys); ++key)
    if (start[key + 1] - start[key] > kLongList)
      sort_list(edge + start[key], start[key + 1] - start[key], int(threadIdx.x), kSortThreads, [] { __syncthreads(); });
}

// The query of each edge, a warp per list.
static __global__ void incoming_query_kernel(int64_t queries, int64_t edges, const int32_t* offsets, int32_t* query) {
  for (int64_t i = first_element() / 32; i < queries; i += element_step() / 32) {
    const int64_t begin = min(max(int64_t(offsets[i]), int64_t(0)), edges), end = min(int64_t(offsets[i + 1]), edges);
    for (int64_t e = begin + threadIdx.x % 32; e < end; e += 32) query[e] = int32_t(i);
  }
}

inline IncomingLists incoming_lists(Call& call, int64_t tokens_q, int64_t tokens_k, int64_t edges, const int32_t* offsets,
                                    const int32_t* indices) {
  int32_t *count = call.zeroed<int32_t>(tokens_k), *start = call.scratch<int32_t>(tokens_k + 1), *edge = call.scratch<int32_t>(edges);
  int32_t* query = call.zeroed<int32_t>(edges);  // offsets of the card may leave edges out
  const int64_t blocks = ceil_div<int64_t>(tokens_k, kScanBlock);
  int32_t* totals = call.scratch<int32_t>(blocks);
  call.launch_elements(edges, incoming_count_kernel, edges, tokens_k, indices, count);
  call.launch({unsigned(blocks), kScanThreads}, incoming_scan_kernel, tokens_k, count, start, totals);
  if (blocks > 0) call.launch({1, kScanThreads}, incoming_totals_kernel, blocks, totals);
  call.launch_elements(tokens_k, incoming_start_kernel, tokens_k, totals, count, start);
  call.launch_elements(edges, incoming_place_kernel, edges, tokens_k, indices, start, count, edge);
  call.launch({unsigned(ceil_div<int64_t>(tokens_k, kSortWarps)), kSortThreads}, incoming_sort_kernel, tokens_k, start, edge);
  call.launch_elements(tokens_q * 32, incoming_query_kernel, tokens_q, edges, offsets, query);
  return {start, edge, query};
}

}  // namespace uam::cuda
