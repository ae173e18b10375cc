// Working memory of one block, in shared memory as long as that lasts and in the block's part of global memory beyond it; and what
// the threads of a block do together: keep the order of what they select, and sort.
//
// Every thread holds the same Arena and takes from it in the same order, so all get the same addresses. A copy gives back what
// is taken from it when it goes out of scope.
#pragma once
#include "device.cuh"
#include "reduce.cuh"

namespace uam::cuda {

struct Arena {
  char *fast, *fast_end;  // in shared memory
  char *slow, *slow_end;

  template <class T> UAM_HD T* take(int64_t count) {
    const int64_t bytes = (count * int64_t(sizeof(T)) + 15) & ~int64_t(15);
    char*& next = bytes <= fast_end - fast ? fast : slow;
    char* start = next;
    next += bytes;
#if defined(__CUDA_ARCH__) || defined(UAM_CUDA_EMULATED)
    if (slow > slow_end) __trap();  // the host reckoned too little
#endif
    return reinterpret_cast<T*>(start);
  }

  // The part of the slow memory that one of `lanes` threads has for itself.
  UAM_HD Arena of_lane(int lane, int lanes) const {
    const int64_t share = ((slow_end - slow) / lanes) & ~int64_t(15);
    return {nullptr, nullptr, slow + lane * share, slow + (lane + 1) * share};
  }
};

// By one thread: from short sorted stretches to long ones. The order of equals stays.
template <class T, class Less> UAM_HD void stable_sort_list(Arena& arena, T* list, int64_t n, Less less) {
  Arena work = arena;
  T *from = list, *to = work.take<T>(n);
  for (int64_t length = 1; length < n; length *= 2) {
    for (int64_t start = 0; start < n; start += 2 * length) {
      int64_t a = start, b = start + length < n ? start + length : n;
      const int64_t a_end = b, b_end = start + 2 * length < n ? start + 2 * length : n;
      for (int64_t k = start; k < b_end; ++k) to[k] = a < a_end && (b >= b_end || !less(from[b], from[a])) ? from[a++] : from[b++];
    }
    T* const swapped = from;
    from = to;
    to = swapped;
  }
  if (from != list)
    for (int64_t k = 0; k < n; ++k) list[k] = from[k];
}
template <class T, class Less> UAM_HD void sort_list(Arena& arena, T* list, int64_t n, Less less) {
  stable_sort_list(arena, list, n, less);
}

struct Lesser {
  template <class T> __device__ T operator()(T a, T b) const { return b < a ? b : a; }
};
struct Larger {
  template <class T> __device__ T operator()(T a, T b) const { return a < b ? b : a; }
};

// Places for what the threads of a warp, or of the block, keep, in the order of the threads; `used` grows by how many keep something.
__device__ inline int64_t place_in_warp(bool keep, int64_t& used) {
  const unsigned votes = __ballot_sync(kWholeWarp, keep), before = votes & ((1u << (threadIdx.x & 31u)) - 1u);
  const int64_t place = used + __popc(before);
  used += __popc(votes);
  return place;
}
__device__ inline int64_t place_in_block(bool keep, int64_t& used) {
  if (blockDim.x == 32) return place_in_warp(keep, used);
  UAM_SHARED(int32_t, kept, [32]);
  int64_t own = 0, place = place_in_warp(keep, own);
  const unsigned warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  __syncthreads();  // the counts of the call before may still be read
  if ((threadIdx.x & 31u) == 0) kept[warp] = int32_t(own);
  __syncthreads();
  place += used;
  for (unsigned w = 0; w < warps; ++w) {
    if (w < warp) place += kept[w];
    used += kept[w];
  }
  return place;
}

// Each thread's share of [0, n).
template <class F> __device__ void each_of(int64_t n, F&& use) {
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) use(i);
}
// keep(i) for each i in turn, then use(i, its place among the kept ones); returns how many were kept.
template <class Keep, class Use> __device__ int64_t each_kept(int64_t n, Keep&& keep, Use&& use) {
  int64_t used = 0;
  for (int64_t base = 0; base < n; base += blockDim.x) {
    const int64_t i = base + threadIdx.x;
    const bool kept = i < n && keep(i);
    const int64_t place = place_in_block(kept, used);
    if (kept) use(i, place);
  }
  __syncthreads();
  return used;
}

// Sorts by the whole block: a bitonic network that only ever moves the lesser number down, so that a list of any length can be
// thought of as continued by infinities that never move.
template <class T> __device__ void block_sort(T* list, int64_t n) {
  const auto order = [&](int64_t low, int64_t high) {
    if (high < n && list[high] < list[low]) {
      const T lower = list[high];
      list[high] = list[low];
      list[low] = lower;
    }
  };
  int bits = 0;
  while ((int64_t(1) << bits) < n) ++bits;
  const int64_t pairs = n > 1 ? int64_t(1) << (bits - 1) : 0;
  __syncthreads();
  for (int k = 1; k <= bits; ++k) {
    each_of(pairs, [&](int64_t t) {
      const int64_t start = t >> (k - 1) << k, offset = t & ((int64_t(1) << (k - 1)) - 1);
      order(start + offset, start + (int64_t(1) << k) - 1 - offset);
    });
    __syncthreads();
    for (int j = k - 2; j >= 0; --j) {
      each_of(pairs, [&](int64_t t) {
        const int64_t low = (t >> j << (j + 1)) + (t & ((int64_t(1) << j) - 1));
        order(low, low + (int64_t(1) << j));
      });
      __syncthreads();
    }
  }
}

// Runs of equal numbers in a sorted list: use(place, first, end) of each, by the whole block; returns how many. starts has room for n.
template <class T, class Use> __device__ int64_t each_run(const T* sorted, int64_t n, int32_t* starts, Use&& use) {
  const int64_t runs = each_kept(
      n, [&](int64_t i) { return i == 0 || sorted[i] != sorted[i - 1]; }, [&](int64_t i, int64_t place) { starts[place] = int32_t(i); });
  each_of(runs, [&](int64_t k) { use(k, int64_t(starts[k]), k + 1 < runs ? int64_t(starts[k + 1]) : n); });
  __syncthreads();
  return runs;
}

}  // namespace uam::cuda
