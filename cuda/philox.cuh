// Philox4x32-10 on the card: the words of native/philox.h, whose order of elements this keeps.
#pragma once
#include "device.cuh"

namespace uam::cuda {

// Elements come in groups of 64 with 16 counters each: word w of counter group * 16 + l is element group * 64 + w * 16 + l.
inline constexpr int kPhiloxGroup = 64, kPhiloxLanes = 16;

struct PhiloxWords {
  uint32_t word[4];
};

__device__ __forceinline__ PhiloxWords philox(uint32_t seed, uint32_t step, uint32_t stream, uint64_t counter) {
  uint32_t c0 = uint32_t(counter), c1 = uint32_t(counter >> 32), c2 = stream, c3 = 0, k0 = seed, k1 = step;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const uint32_t high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// In [0, 1), a multiple of 2^-24.
__device__ __forceinline__ float philox_unit(uint32_t word) { return float(int32_t(word >> 8)) * 5.9604644775390625e-8f; }

// The element that word 0 of a counter gives; words 1 to 3 give those 16, 32 and 48 behind it.
__device__ __forceinline__ int64_t philox_element(int64_t counter) {
  return counter / kPhiloxLanes * kPhiloxGroup + counter % kPhiloxLanes;
}
inline int64_t philox_counters(int64_t n) { return ceil_div<int64_t>(n, kPhiloxGroup) * kPhiloxLanes; }

}  // namespace uam::cuda
