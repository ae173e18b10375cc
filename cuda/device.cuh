// The words every file of cuda/ is written in.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "params.h"

// A variable of the block:  UAM_SHARED(float, tile, [32][33]);   the emulation poisons it and checks its size.
// Dynamic shared memory:    float* rows = dynamic_shared<float>();
#ifdef UAM_CUDA_EMULATED
#define UAM_SHARED(T, name, ...)                  \
  static const char name##_key = 0;               \
  using name##_type = T __VA_ARGS__;              \
  name##_type& name = *static_cast<name##_type*>( \
      ::uam::emulated::shared(&name##_key, sizeof(name##_type), alignof(name##_type) < 16 ? 16 : alignof(name##_type)))
#else
#define UAM_SHARED(T, name, ...) __shared__ __align__(16) T name __VA_ARGS__
#endif

namespace uam::cuda {

#ifdef UAM_CUDA_EMULATED
template <class T> T* dynamic_shared() { return static_cast<T*>(::uam::emulated::dynamic_shared()); }
#else
template <class T> __device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char uam_dynamic_shared[];
  return reinterpret_cast<T*>(uam_dynamic_shared);
}
#endif

inline constexpr unsigned kWholeWarp = 0xffffffffu;

// Throws KernelError UAM_DEVICE (UAM_MEMORY where the card has no more) with the driver's words; `what` says what was tried.
void check(cudaError_t status, const char* what);

// The first thing that a kernel found wrong: the place in its high half, the value in its low half.
using Fault = unsigned long long;
inline constexpr Fault kNoFault = ~0ull;
__device__ inline void report_fault(Fault* fault, int64_t place, int32_t value) {
  atomicMin(fault, (Fault(uint32_t(place)) << 32) | uint32_t(value));
}

template <class T> UAM_HD constexpr T ceil_div(T n, T by) { return (n + by - 1) / by; }

// Elements one thread at a time, in a grid-stride loop: for (int64_t i = first_element(); i < n; i += element_step()).
__device__ inline int64_t first_element() { return blockIdx.x * int64_t(blockDim.x) + threadIdx.x; }
__device__ inline int64_t element_step() { return gridDim.x * int64_t(blockDim.x); }

}  // namespace uam::cuda
