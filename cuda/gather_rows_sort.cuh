// The places of an index list sorted by row, and rising within a row: a radix sort of eight bits a pass, each of them stable.
#pragma once
#include "call.cuh"

namespace uam::cuda {

struct SortedRows {
  const uint32_t *rows, *places;  // [n]; rows out of range stand behind all others
  const int32_t* start;           // [rows + 1]: where the places of each row begin
};

namespace radix {

constexpr int kThreads = 256, kWarps = kThreads / 32, kRounds = 4, kDigits = 256;
constexpr int64_t kTile = kThreads * kRounds;  // elements of a block; a warp has 32 kRounds neighbours of them

// The element that this thread looks at in a round.
__device__ __forceinline__ int64_t element(int round) {
  return blockIdx.x * kTile + int(threadIdx.x) / 32 * (32 * kRounds) + round * 32 + int(threadIdx.x) % 32;
}

// Sum of the values of this thread and those before it, in a block of 256 (kDigits) threads.
__device__ inline int running_sum(int value) {
  UAM_SHARED(int, of_warp, [kWarps]);
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
#pragma unroll
  for (int by = 1; by < 32; by *= 2) {
    const int before = __shfl_up_sync(kWholeWarp, value, unsigned(by));
    if (lane >= by) value += before;
  }
  __syncthreads();  // the call before may still be read
  if (lane == 31) of_warp[warp] = value;
  __syncthreads();
  for (int w = 0; w < warp; ++w) value += of_warp[w];
  return value;
}

static __global__ void keys_kernel(int64_t n, int64_t rows, const int32_t* index, uint32_t* keys, uint32_t* places, Fault* fault) {
  for (int64_t j = first_element(); j < n; j += element_step()) {
    const int32_t row = index[j];
    const bool valid = row >= 0 && row < rows;
    if (!valid) report_fault(fault, j, row);
    keys[j] = valid ? uint32_t(row) : uint32_t(rows);
    places[j] = uint32_t(j);
  }
}

// counts[digit, block]
static __global__ void count_kernel(int64_t n, int shift, const uint32_t* keys, int* counts) {
  UAM_SHARED(int, count, [kDigits]);
  count[threadIdx.x] = 0;
  __syncthreads();
  for (int round = 0; round < kRounds; ++round)
    if (element(round) < n) atomicAdd(&count[keys[element(round)] >> shift & 255u], 1);
  __syncthreads();
  counts[threadIdx.x * int64_t(gridDim.x) + blockIdx.x] = count[threadIdx.x];
}

// A block per digit: counts become how many elements of the digit stand in blocks before; totals[digit].
static __global__ void scan_kernel(int64_t blocks, int* counts, int* totals) {
  UAM_SHARED(int, all, [1]);
  int* of_digit = counts + blockIdx.x * blocks;
  int before = 0;
  for (int64_t first = 0; first < blocks; first += kThreads) {
    const int64_t at = first + threadIdx.x;
    const int own = at < blocks ? of_digit[at] : 0, sum = running_sum(own);
    if (at < blocks) of_digit[at] = before + sum - own;
    if (threadIdx.x == kThreads - 1) all[0] = sum;
    __syncthreads();
    before += all[0];
    __syncthreads();
  }
  if (threadIdx.x == 0) totals[blockIdx.x] = before;
}

static __global__ void move_kernel(int64_t n, int shift, const uint32_t* keys, const uint32_t* places, const int* counts, const int* totals,
                                   uint32_t* keys_to, uint32_t* places_to) {
  UAM_SHARED(int, next, [kWarps][kDigits]);  // where each warp's next element of a digit goes
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
  uint32_t key[kRounds], place[kRounds];
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const bool there = element(round) < n;
    key[round] = there ? keys[element(round)] : 0;
    place[round] = there ? places[element(round)] : 0;
  }
  for (int w = 0; w < kWarps; ++w) next[w][threadIdx.x] = 0;
  __syncthreads();
#pragma unroll
  for (int round = 0; round < kRounds; ++round)
    if (element(round) < n) atomicAdd(&next[warp][key[round] >> shift & 255u], 1);
  const int total = totals[threadIdx.x];
  int at = running_sum(total) - total + counts[threadIdx.x * int64_t(gridDim.x) + blockIdx.x];  // of digit threadIdx.x; has a barrier
  __syncthreads();
  for (int w = 0; w < kWarps; ++w) {
    const int own = next[w][threadIdx.x];
    next[w][threadIdx.x] = at;
    at += own;
  }
  __syncthreads();
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const bool there = element(round) < n;
    const uint32_t digit = key[round] >> shift & 255u;
    unsigned same = __ballot_sync(kWholeWarp, there);  // lanes with this digit
#pragma unroll
    for (int bit = 0; bit < 8; ++bit) {
      const unsigned set = __ballot_sync(kWholeWarp, int(digit >> bit & 1u));
      same &= digit >> bit & 1u ? set : ~set;
    }
    const int before = __popc(same & ((1u << lane) - 1u));
    const int to = there ? next[warp][digit] + before : 0;
    __syncwarp();  // every lane has read it
    if (there && before == 0) next[warp][digit] += __popc(same);
    __syncwarp();
    if (there) {
      keys_to[to] = key[round];
      places_to[to] = place[round];
    }
  }
}

// start[row] = how many keys are less than row
static __global__ void starts_kernel(int64_t n, int64_t rows, const uint32_t* keys, int32_t* start) {
  for (int64_t row = first_element(); row <= rows; row += element_step()) {
    int64_t low = 0, high = n;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (int64_t(keys[middle]) < row) low = middle + 1;
      else high = middle;
    }
    start[row] = int32_t(low);
  }
}

}  // namespace radix

inline SortedRows sort_by_row(Call& call, const int32_t* index, int64_t n, int64_t rows, Fault* fault) {
  using namespace radix;
  uint32_t *keys = call.scratch<uint32_t>(n), *places = call.scratch<uint32_t>(n);
  uint32_t *other_keys = call.scratch<uint32_t>(n), *other_places = call.scratch<uint32_t>(n);
  const int64_t blocks = ceil_div(n, kTile);
  int *counts = call.scratch<int>(blocks * kDigits), *totals = call.scratch<int>(kDigits);
  call.launch_elements(n, keys_kernel, n, rows, index, keys, places, fault);
  for (int shift = 0; shift < 32 && rows >> shift > 0; shift += 8) {
    call.launch({unsigned(blocks), kThreads}, count_kernel, n, shift, keys, counts);
    call.launch({kDigits, kThreads}, scan_kernel, blocks, counts, totals);
    call.launch({unsigned(blocks), kThreads}, move_kernel, n, shift, keys, places, counts, totals, other_keys, other_places);
    std::swap(keys, other_keys);
    std::swap(places, other_places);
  }
  int32_t* start = call.scratch<int32_t>(rows + 1);
  call.launch_elements(rows + 1, starts_kernel, n, rows, keys, start);
  return {keys, places, start};
}

}  // namespace uam::cuda
