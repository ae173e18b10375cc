// The part of CUDA that the sources of cuda/ use, on the CPU: found in place of CUDA's own header when the emulated addon is
// built (npm run build:cuda-emulated), so that the same kernels run without a card. One fiber per thread of a block, blocks
// one after another; see fibers.h for how barriers and shuffles work and which mistakes they find.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>  // before __noinline__, which it says in its own way
#include <type_traits>

#include "emulated/fibers.h"

#define UAM_CUDA_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

// ---- vectors ----
#define UAM_VECTORS(T, name)                          \
  struct alignas(2 * sizeof(T)) name##2 { T x, y; };  \
  struct name##3 { T x, y, z; };                      \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; }; \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                         \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                 \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
UAM_VECTORS(float, float)
UAM_VECTORS(double, double)
UAM_VECTORS(int, int)
UAM_VECTORS(unsigned, uint)
UAM_VECTORS(unsigned short, ushort)
UAM_VECTORS(unsigned char, uchar)
#undef UAM_VECTORS

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Where the running fiber stands. CUDA has these as built-in variables.
#define threadIdx (uam::emulated::here.thread)
#define blockIdx (uam::emulated::here.block)
#define blockDim (uam::emulated::here.block_size)
#define gridDim (uam::emulated::here.grid)
inline constexpr int warpSize = 32;

// ---- barriers and exchanges ----
inline void __syncthreads() { uam::emulated::block_barrier(); }
inline int __syncthreads_or(int value) { return uam::emulated::block_or(value); }
inline int __syncthreads_count(int value) { return uam::emulated::block_count(value); }
inline void __syncwarp(unsigned mask = ~0u) { uam::emulated::warp_barrier(mask); }
inline void __threadfence() {}
[[noreturn]] inline void __trap() { __builtin_trap(); }
inline void __threadfence_block() {}

template <class T> T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  const int own = int(uam::emulated::lane()), base = own & ~(width - 1);
  return uam::emulated::exchange(mask, value, base + (lane & (width - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int own = int(uam::emulated::lane()), from = own ^ bits;
  return uam::emulated::exchange(mask, value, (from & ~(width - 1)) > (own & ~(width - 1)) ? own : from);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int own = int(uam::emulated::lane()), from = own + int(by);
  return uam::emulated::exchange(mask, value, (from & ~(width - 1)) != (own & ~(width - 1)) ? own : from);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int own = int(uam::emulated::lane()), from = own - int(by);
  return uam::emulated::exchange(mask, value, from < (own & ~(width - 1)) ? own : from);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) { return uam::emulated::ballot(mask, predicate != 0); }
inline int __any_sync(unsigned mask, int predicate) { return uam::emulated::ballot(mask, predicate != 0) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return uam::emulated::ballot(mask, predicate == 0) == 0; }
// The lanes whose value is the same. All lanes of the warp ask together.
template <class T> unsigned __match_any_sync(unsigned, T value) {
  T of_lane[32];
  std::memcpy(of_lane, uam::emulated::gather(&value, sizeof value), sizeof of_lane);
  unsigned equal = 0;
  for (int lane = 0; lane < 32; ++lane) equal |= unsigned(of_lane[lane] == value) << lane;
  return equal;
}

// ---- atomics: fibers never interrupt one another ----
template <class T> struct UamSame { using type = T; };
#define UAM_ATOMIC(name, expression)                                                      \
  template <class T> T name(T* at, typename UamSame<T>::type value) {                     \
    const T old = *at;                                                                    \
    *at = expression;                                                                     \
    return old;                                                                           \
  }
UAM_ATOMIC(atomicAdd, T(old + value))
UAM_ATOMIC(atomicSub, T(old - value))
UAM_ATOMIC(atomicMax, old < value ? value : old)
UAM_ATOMIC(atomicMin, value < old ? value : old)
UAM_ATOMIC(atomicOr, T(old | value))
UAM_ATOMIC(atomicAnd, T(old & value))
UAM_ATOMIC(atomicXor, T(old ^ value))
UAM_ATOMIC(atomicExch, value)
#undef UAM_ATOMIC
template <class T> T atomicCAS(T* at, typename UamSame<T>::type expected, typename UamSame<T>::type value) {
  const T old = *at;
  if (old == expected) *at = value;
  return old;
}

// ---- arithmetic ----
using std::isfinite;
using std::isinf;
using std::isnan;
template <class T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <class T> constexpr T max(T a, T b) { return a < b ? b : a; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
inline double rsqrt(double x) { return 1. / sqrt(x); }
inline void sincospif(float x, float* sine, float* cosine) {
  const double angle = 3.14159265358979323846 * fmod(double(x), 2.);
  *sine = float(sin(angle));
  *cosine = float(cos(angle));
}
inline float exp10f(float x) { return powf(10.f, x); }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int bit = 0; bit < 32; ++bit) y |= (x >> bit & 1u) << (31 - bit);
  return y;
}
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
template <class To, class From> To uam_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
inline int __float_as_int(float x) { return uam_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return uam_bits<unsigned>(x); }
inline float __int_as_float(int x) { return uam_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return uam_bits<float>(x); }
inline long long __double_as_longlong(double x) { return uam_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return uam_bits<double>(x); }
inline int __float2int_rn(float x) { return int(nearbyintf(x)); }
template <class T> T __ldg(const T* at) { return *at; }
template <class T> T __ldcs(const T* at) { return *at; }
template <class T> T __ldcg(const T* at) { return *at; }
template <class T> void __stcs(T* at, T value) { *at = value; }

// ---- the runtime: one device, one order of work, everything done at once ----
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorInvalidDevice = 101, cudaErrorNotReady = 600 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold };
using cudaStream_t = struct UamStream*;
using cudaEvent_t = struct UamEvent*;
using cudaMemPool_t = struct UamPool*;
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* card, int device);
cudaError_t cudaMalloc(void** at, size_t bytes);
cudaError_t cudaFree(void* at);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t);
template <class T> cudaError_t cudaMalloc(T** at, size_t bytes) { return cudaMalloc(reinterpret_cast<void**>(at), bytes); }
inline cudaError_t cudaMallocAsync(void** at, size_t bytes, cudaStream_t) { return cudaMalloc(at, bytes); }
inline cudaError_t cudaFreeAsync(void* at, cudaStream_t) { return cudaFree(at); }
inline cudaError_t cudaMallocHost(void** at, size_t bytes) { return cudaMalloc(at, bytes); }
inline cudaError_t cudaFreeHost(void* at) { return cudaFree(at); }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* version) { return *version = 0, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 0, cudaSuccess; }
inline cudaError_t cudaMemGetInfo(size_t* free, size_t* total) { return *free = *total = size_t(1) << 33, cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return *stream = nullptr, cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = nullptr, cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaLaunchHostFunc(cudaStream_t, void (*body)(void*), void* context) { return body(context), cudaSuccess; }
inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) { return *pool = nullptr, cudaSuccess; }
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  return *value = which == cudaDevAttrMultiProcessorCount ? 4 : 227 * 1024, cudaSuccess;
}
template <class F> cudaError_t cudaFuncSetAttribute(F*, cudaFuncAttribute, int bytes) { return bytes <= 227 * 1024 ? cudaSuccess : cudaErrorInvalidValue; }
const char* cudaGetErrorString(cudaError_t status);
const char* cudaGetErrorName(cudaError_t status);
