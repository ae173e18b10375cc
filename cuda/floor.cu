#include "kernels/floor.h"

#include "quads.cuh"
#include "mma.cuh"
#include "reduce.cuh"

namespace uam::cuda {

namespace {

constexpr int kThreads = 256, kChains = 12;  // a block makes an iteration of a piece in one go
static_assert(kThreads * kChains == kFloorLanes);
static_assert(kThreads / 32 * kChains * (16 * 8 * 16) == kFloorLanes * kFloorMatrix);

// 2^x as the special function unit has it: one instruction.
#ifndef UAM_CUDA_EMULATED
__device__ __forceinline__ float exp2_bare(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#else
inline float exp2_bare(float x) { return exp2f(x); }
#endif

}  // namespace

__global__ void __launch_bounds__(kThreads) floor_fma_kernel(int64_t iterations, float s, float* result) {
  float chain[kChains];
#pragma unroll
  for (int j = 0; j < kChains; ++j) chain[j] = float(j);
  const float addend = 1.f - s;
#pragma unroll 8
  for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
    for (int j = 0; j < kChains; ++j) chain[j] = fmaf(chain[j], s, addend);
  }
  float total = 0.f;
#pragma unroll
  for (int j = 0; j < kChains; ++j) total += chain[j];
  total = block_sum(total);
  if (threadIdx.x == 0) result[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) floor_exp2_kernel(int64_t iterations, float s, float* result) {
  float chain[kChains];
#pragma unroll
  for (int j = 0; j < kChains; ++j) chain[j] = -s * float(j);
#pragma unroll 4
  for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
    for (int j = 0; j < kChains; ++j) chain[j] = exp2_bare(chain[j]) - 1.f;
  }
  float total = 0.f;
#pragma unroll
  for (int j = 0; j < kChains; ++j) total += chain[j];
  total = block_sum(total);
  if (threadIdx.x == 0) result[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) floor_matrix_kernel(int64_t iterations, float s, float* result) {
  float chain[kChains][4] = {};
  const uint32_t factor = pack_bf16(s, -s), other = pack_bf16(s, 0.5f * s);
  const uint32_t a[4] = {factor, factor, factor, factor}, b[2] = {other, other};
  for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
    for (int j = 0; j < kChains; ++j) mma_bf16(chain[j], a, b);
  }
  float total = 0.f;
#pragma unroll
  for (int j = 0; j < kChains; ++j) total += (chain[j][0] + chain[j][1]) + (chain[j][2] + chain[j][3]);
  total = block_sum(total);
  if (threadIdx.x == 0) result[blockIdx.x] = total;
}

void floor_compute(const FloorComputeParams& p) {
  Call call;
  float* result = call.out(p.result);
  const auto kernel = p.loop == FloorCompute::fma    ? floor_fma_kernel
                      : p.loop == FloorCompute::exp2 ? floor_exp2_kernel
                                                     : floor_matrix_kernel;
  call.launch({unsigned(p.pieces), kThreads}, kernel, p.iterations, p.s, result);
  call.finish();
}

template <bool kTriad, bool kStreaming>
__global__ void floor_quads_kernel(int64_t quads, float s, const float4* a, const float4* b, float4* y) {
  for (int64_t i = first_element(); i < quads; i += element_step()) {
    float4 v = kStreaming ? __ldcs(a + i) : a[i];
    if (kTriad) {
      const float4 w = kStreaming ? __ldcs(b + i) : b[i];
      v = make_float4(fmaf(w.x, s, v.x), fmaf(w.y, s, v.y), fmaf(w.z, s, v.z), fmaf(w.w, s, v.w));
    }
    if (kStreaming) __stcs(y + i, v);
    else y[i] = v;
  }
}

// What is left behind the quads, and arrays that do not begin at 16 bytes.
template <bool kTriad> __global__ void floor_elements_kernel(int64_t first, int64_t n, float s, const float* a, const float* b, float* y) {
  for (int64_t i = first + first_element(); i < n; i += element_step()) y[i] = kTriad ? fmaf(b[i], s, a[i]) : a[i];
}

void floor_memory(const FloorMemoryParams& p) {
  Call call;
  const float *a = call.in(p.a), *b = call.in(p.b);
  float* y = call.out(p.y);
  const bool triad = p.loop == FloorMemory::triad;
  const int64_t quads = on_16_bytes(a, b, y) ? p.n / 4 : 0;
  const auto by_quads = triad ? (p.streaming ? floor_quads_kernel<true, true> : floor_quads_kernel<true, false>)
                              : (p.streaming ? floor_quads_kernel<false, true> : floor_quads_kernel<false, false>);
  call.launch_elements(quads, by_quads, quads, p.s, reinterpret_cast<const float4*>(a), reinterpret_cast<const float4*>(b),
                       reinterpret_cast<float4*>(y));
  call.launch_elements(p.n - quads * 4, triad ? floor_elements_kernel<true> : floor_elements_kernel<false>, quads * 4, p.n, p.s, a, b, y);
  call.finish();
}

}  // namespace uam::cuda
