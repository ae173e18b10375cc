// The edges that lead to each key, in the order of the edges: counted and placed with integer atomics, which leaves the order of a
// list to chance, and then sorted.
#pragma once
#include "call.cuh"
#include "prefix_sum.cuh"

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

static __global__ void incoming_place_kernel(int64_t edges, int64_t tokens_k, const int32_t* indices, const int32_t* start, int32_t* placed,
                                             int32_t* edge) {
  for (int64_t e = first_element(); e < edges; e += element_step()) {
    const int32_t key = indices[e];
    if (key >= 0 && key < tokens_k) edge[start[key] + atomicAdd(placed + key, 1)] = int32_t(e);
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
  int32_t *start = call.zeroed<int32_t>(tokens_k + 1), *placed = call.zeroed<int32_t>(tokens_k), *edge = call.scratch<int32_t>(edges);
  int32_t* query = call.zeroed<int32_t>(edges);  // offsets of the card may leave edges out
  call.launch_elements(edges, incoming_count_kernel, edges, tokens_k, indices, start);
  exclusive_sums(call, tokens_k + 1, start);
  call.launch_elements(edges, incoming_place_kernel, edges, tokens_k, indices, start, placed, edge);
  call.launch({unsigned(ceil_div<int64_t>(tokens_k, kSortWarps)), kSortThreads}, incoming_sort_kernel, tokens_k, start, edge);
  call.launch_elements(tokens_q * 32, incoming_query_kernel, tokens_q, edges, offsets, query);
  return {start, edge, query};
}

}  // namespace uam::cuda
