// Where a tile of a product gets its factors from. An operand has `lines` (rows of A, columns of B) and runs along k; a block
// stages kWords words of k of each line at a time, in registers first (the load of the next stage runs beside the arithmetic),
// then in shared memory, as words[k][line]: numbers for float32 and tf32, pairs of neighbours in k for bf16.
//
// A source loads units of four numbers that lie side by side in memory: four k of one line (`along_k`), or four lines at one k.
#pragma once
#include "device_queue.h"
#include "mma.cuh"

namespace uam::cuda {

inline constexpr int kWords = 16;

// Numbers of k in a word.
constexpr int pack_of(MatmulPrecision precision) { return precision == MatmulPrecision::bf16 ? 2 : 1; }

// Line l of word w is kept at l ^ swizzle(w), so that neither the stores (lanes over k and lines) nor the loads of fragments
// (lanes over 4 words and 8 lines) meet in a bank. Lines of four stay together. float32 reads one word at a time, and gets by with
// fewer patterns: each takes a register for its addresses.
template <MatmulPrecision precision> UAM_HD constexpr int swizzle(int w) {
  if (precision == MatmulPrecision::float32) return (w >> 2 & 3) << 3;
  return ((w >> 1 ^ w >> 3) & 1) << 4 | ((w ^ w >> 2) & 1) << 3 | (w >> 3 & 1) << 2;
}

// threadIdx.x, read anew: what is computed from it need not lie in registers from one stage to the next.
__device__ __forceinline__ int thread_again() {
#ifdef UAM_CUDA_EMULATED
  return int(threadIdx.x);
#else
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#endif
}

// The part of a stage that a thread moves: `units` of four numbers. `whole`: all of them are aligned and exist or do not, so that
// there is no code for others.
template <int lines_, int threads, MatmulPrecision precision, bool whole_> struct Part {
  static constexpr bool whole = whole_;
  static constexpr int lines = lines_, pack = pack_of(precision), depth = kWords * pack, units = lines * depth / 4 / threads;
  static_assert(units >= 1 && units % pack == 0 && lines % 32 == 0);

  // Along k: lanes cover a line's k first, and unit after unit the lines below.
  static constexpr int line_threads = depth / 4, line_step = threads / line_threads;
  static __device__ int line(int unit) { return int(threadIdx.x) / line_threads + unit * line_step; }
  static __device__ int k() { return int(threadIdx.x) % line_threads * 4; }

  // Along lines: lanes cover the lines at one k first. The numbers of a word belong to one thread.
  static constexpr int word_threads = lines / 4, word_step = threads / word_threads;
  static __device__ int first_line() { return int(threadIdx.x) % word_threads * 4; }
  static UAM_HD constexpr int k_of(int unit) { return pack * (unit / pack * word_step) + unit % pack; }  // from the thread's first
  static __device__ int k(int unit) { return int(threadIdx.x) / word_threads * pack + k_of(unit); }

  static __device__ uint32_t encoded(float x) {
    if constexpr (precision == MatmulPrecision::tf32) return to_tf32(x);
    else return __float_as_uint(x);
  }

  // words[kWords][lines]
  static __device__ void store(bool along_k, const float4 (&v)[units], uint32_t* words) {
    const int tid = thread_again();
    const auto at = [=](int w, int l) { return words + w * lines + (l ^ swizzle<precision>(w)); };
    if (along_k) {
#pragma unroll
      for (int u = 0; u < units; ++u) {
        const int l = tid / line_threads + u * line_step, w = tid % line_threads * 4 / pack;
        if constexpr (pack == 2) {
          *at(w, l) = pack_bf16(v[u].x, v[u].y);
          *at(w + 1, l) = pack_bf16(v[u].z, v[u].w);
        } else {
          *at(w, l) = encoded(v[u].x);
          *at(w + 1, l) = encoded(v[u].y);
          *at(w + 2, l) = encoded(v[u].z);
          *at(w + 3, l) = encoded(v[u].w);
        }
      }
    } else {
#pragma unroll
      for (int u = 0; u < units; u += pack) {
        auto* to = reinterpret_cast<uint4*>(at(tid / word_threads + u / pack * word_step, tid % word_threads * 4));
        if constexpr (pack == 2) {
          const float4 &low = v[u], &high = v[u + 1];
          *to = make_uint4(pack_bf16(low.x, high.x), pack_bf16(low.y, high.y), pack_bf16(low.z, high.z), pack_bf16(low.w, high.w));
        } else {
          *to = make_uint4(encoded(v[u].x), encoded(v[u].y), encoded(v[u].z), encoded(v[u].w));
        }
      }
    }
  }
};

// Four numbers of which `left` exist; the others are zero. `vector`: the address is aligned, and all four exist or none.
__device__ __forceinline__ float4 load_four(const float* at, int left, bool vector) {
  float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
  if (vector) {
    if (left > 0) v = *reinterpret_cast<const float4*>(at);
  } else {
    if (left > 0) v.x = at[0];
    if (left > 1) v.y = at[1];
    if (left > 2) v.z = at[2];
    if (left > 3) v.w = at[3];
  }
  return v;
}

// A matrix in memory: element (line, k) is data[line * ld + k] along k, else data[k * ld + line], counted from the tile's first line
// and the part's first k.
struct MatrixSource {
  const float* data;
  int64_t ld;
  int lines, count;  // that exist: lines, and k
  bool along_k;
  bool vector;  // data is aligned to 16 bytes, ld and the length along memory are multiples of 4

  // What a thread keeps from stage to stage. Addresses are added up unit by unit: kept side by side they would fill the registers.
  template <class P> struct Reader {
    const float* at;
    int64_t ld;
    int lines, count;  // that exist from this thread's first on
    bool along_k, vector;

    // The next stage.
    __device__ void load(float4 (&v)[P::units]) {
      const float* from = at;
      if (along_k) {
#pragma unroll
        for (int u = 0; u < P::units; ++u) {
          v[u] = load_four(from, u * P::line_step < lines ? count : 0, P::whole || vector);
          from += P::line_step * ld;
        }
        at += P::depth;
      } else {
#pragma unroll
        for (int u = 0; u < P::units; ++u) {
          v[u] = load_four(from, P::k_of(u) < count ? lines : 0, P::whole || vector);
          from += (P::k_of(u + 1) - P::k_of(u)) * ld;
        }
        at += P::depth * ld;
      }
      count -= P::depth;
    }
  };
  template <class P> __device__ Reader<P> reader() const {
    const int line = along_k ? P::line(0) : P::first_line(), k = along_k ? P::k() : P::k(0);
    return {data + (along_k ? line * ld + k : k * ld + line), ld, lines - line, count - k, along_k, vector};
  }
};

// How many lie at or behind `first` of all, as far as a tile cares.
__device__ inline int existing(int64_t all, int64_t first) { return int(min(all - first, int64_t(1) << 30)); }

}  // namespace uam::cuda
