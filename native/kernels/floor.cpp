#include "kernels/floor.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/floor.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

// Twelve chains hide the latency of two FMA units and, with two operands, fit sixteen registers.
inline constexpr int kChains = 12;
static_assert(kFloorLanes % (kChains * W) == 0);

inline float fma_piece(int64_t iterations, float s) {
  vf chain[kChains];
  for (int j = 0; j < kChains; ++j) chain[j] = set1(float(j));
  const vf factor = set1(s), addend = set1(1.f - s);
  for (int64_t step = 0; step < iterations * (kFloorLanes / (kChains * W)); ++step) {
#pragma GCC unroll 12
    for (int j = 0; j < kChains; ++j) chain[j] = fma(chain[j], factor, addend);
  }
  vf total = chain[0];
  for (int j = 1; j < kChains; ++j) total += chain[j];
  return sum(total);
}

// 2^t for |t| < 126: nothing is spent on the ends of the range.
UAM_INLINE vf exp2_bare(vf t) {
#if UAM_ISA_LEVEL == 2
  const vf r = nearest(t);
  return scale2(exp2_fraction(t - r), r);
#else
  const vf magic = set1(12582912.f);  // 1.5 * 2^23: adding it leaves round(t) in the low bits
  const vf shifted = t + magic;
  const vf p = exp2_fraction(t - (shifted - magic));
  return floats(bits(p) + (bits(shifted) << 23));
#endif
}

inline float exp2_piece(int64_t iterations, float s) {
  alignas(64) float x[kFloorLanes], y[kFloorLanes];
  for (int64_t i = 0; i < kFloorLanes; ++i) x[i] = -s * float(i % 64);
  for (int64_t iteration = 0; iteration < iterations; ++iteration) {
    for (int64_t i = 0; i < kFloorLanes; i += 2 * W) {
      const vf low = exp2_bare(load(x + i)), high = exp2_bare(load(x + i + W));
      store(y + i, low);
      store(y + i + W, high);
    }
    x[iteration % kFloorLanes] = y[0] - 1.f;  // the next iteration reads what this one wrote: none can be left out
  }
  return y[kFloorLanes - 1];
}

void floor_compute(const FloorComputeParams& p) {
  parallel_for(p.pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece)
      p.result.data[piece] = p.loop == FloorCompute::exp2
                                 ? exp2_piece(p.iterations, p.s)
                                 : fma_piece(p.iterations * (p.loop == FloorCompute::matrix ? kFloorMatrix : 1), p.s);
  });
}

UAM_INLINE void stream(float* p, vf v) {  // p aligned to the vector
#if UAM_ISA_LEVEL == 2
  _mm512_stream_ps(p, (__m512)v);
#elif UAM_ISA_LEVEL == 1
  _mm256_stream_ps(p, (__m256)v);
#elif defined(__SSE__)
  _mm_stream_ps(p, (__m128)v);
#else
  store(p, v);
#endif
}

template <bool Triad, bool Streaming> void move(const FloorMemoryParams& p) {
  const vf s = set1(p.s);
  const auto value = [&](vf a, int64_t i) { return Triad ? fma(load(p.b.data + i), s, a) : a; };
  parallel_for(p.n, 1 << 14, [&](int64_t begin, int64_t end) {
    const float *a = p.a.data, *b = p.b.data;
    float* y = p.y.data;
    int64_t i = begin;
    for (; i < end && reinterpret_cast<uintptr_t>(y + i) % (W * sizeof(float)) != 0; ++i) y[i] = Triad ? a[i] + p.s * b[i] : a[i];
    for (; i + W <= end; i += W) {
      if constexpr (Streaming) stream(y + i, value(load(a + i), i));
      else store(y + i, value(load(a + i), i));
    }
    for (; i < end; ++i) y[i] = Triad ? a[i] + p.s * b[i] : a[i];
#if defined(__SSE__)
    if constexpr (Streaming) _mm_sfence();
#endif
  });
}

void floor_memory(const FloorMemoryParams& p) {
  if (p.loop == FloorMemory::triad) p.streaming ? move<true, true>(p) : move<true, false>(p);
  else p.streaming ? move<false, true>(p) : move<false, false>(p);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void floor_compute(const FloorComputeParams& p) { UAM_BEST(floor_compute)(p); }
void floor_memory(const FloorMemoryParams& p) { UAM_BEST(floor_memory)(p); }
}  // namespace uam::cpu
#endif
