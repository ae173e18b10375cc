// Instructions of a whole warp: products of small matrices on the tensor cores, and copies into shared memory that run beside
// the arithmetic. Everything from compute capability 8.0 on has them. The emulation computes the same sums one by one.
//
// Fragments, with g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16"; .row.col):
//   bf16, k16:  a[0] = A[g][2t, 2t+1]  a[1] = A[g+8][2t, 2t+1]  a[2] = A[g][2t+8, +9]  a[3] = A[g+8][2t+8, +9]
//               b[0] = B[2t, 2t+1][g]  b[1] = B[2t+8, 2t+9][g]            (two numbers a register, the first in the low half)
//   tf32, k8:   a[0] = A[g][t]  a[1] = A[g+8][t]  a[2] = A[g][t+4]  a[3] = A[g+8][t+4]    b[0] = B[t][g]  b[1] = B[t+4][g]
//   both:       c[0] = C[g][2t]  c[1] = C[g][2t+1]  c[2] = C[g+8][2t]  c[3] = C[g+8][2t+1]
#pragma once
#include "device.cuh"

namespace uam::cuda {

#ifndef UAM_CUDA_EMULATED

// Two numbers rounded to bf16 (nearest, ties to even), `low` in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

// A number rounded to tf32, in the bits of a float.
__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// c += A B
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 x 8 bf16 from shared memory; lane l says where row l % 8 of matrix l / 8 begins (aligned to 16 bytes). Lane
// 4 r + t gets numbers 2t and 2t + 1 of row r of each matrix; `transposed`, those of column r.
__device__ __forceinline__ void load_matrices(uint32_t (&m)[4], const void* row) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(at)
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&m)[4], const void* row) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(at)
               : "memory");
}

// 2^x to two units in the last place; what is below the normal numbers becomes zero.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 16 bytes to shared memory, both addresses aligned to 16; `valid` false writes zeros and reads nothing.
__device__ __forceinline__ void copy_async_16(void* to, const void* from, bool valid = true) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
// 4 bytes, for rows that are not aligned.
__device__ __forceinline__ void copy_async_4(void* to, const void* from, bool valid = true) {
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` groups of this thread are on their way. Other threads need a barrier after it.
template <int pending> __device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#else

inline uint16_t bf16_bits(float x) {
  uint32_t bits = __float_as_uint(x);
  if (x != x) return uint16_t(bits >> 16 | 0x40);
  bits += 0x7fff + (bits >> 16 & 1u);
  return uint16_t(bits >> 16);
}
inline float bf16_value(uint32_t bits) { return __uint_as_float(bits << 16); }
inline uint32_t pack_bf16(float low, float high) { return bf16_bits(low) | uint32_t(bf16_bits(high)) << 16; }
inline uint32_t to_tf32(float x) { return x != x || std::isinf(x) ? __float_as_uint(x) : (__float_as_uint(x) + 0x1000) & ~0x1fffu; }

struct MmaOperands {
  uint32_t a[4], b[2];
};

// c += A B of `steps` steps along k; number(bits, half) reads one of the numbers in a register.
template <int per_register, class Number> void emulated_mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Number number) {
  MmaOperands own;
  std::memcpy(own.a, a, sizeof own.a);
  std::memcpy(own.b, b, sizeof own.b);
  const auto* lanes = reinterpret_cast<const MmaOperands*>(emulated::gather(&own, sizeof own));
  const int g = int(emulated::lane()) / 4, t = int(emulated::lane()) % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = g + (i >= 2 ? 8 : 0), column = 2 * t + (i & 1);
    float sum = 0.f;
    for (int k = 0; k < 8 * per_register; ++k) {
      const int within = k % (4 * per_register), lane = within / per_register, half = within % per_register, upper = k / (4 * per_register);
      const MmaOperands &rows = lanes[row % 8 * 4 + lane], &columns = lanes[column * 4 + lane];
      sum += number(rows.a[(row >= 8 ? 1 : 0) + 2 * upper], half) * number(columns.b[upper], half);
    }
    c[i] += sum;
  }
}
inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulated_mma<2>(c, a, b, [](uint32_t bits, int half) { return bf16_value(half ? bits >> 16 : bits & 0xffffu); });
}
inline void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulated_mma<1>(c, a, b, [](uint32_t bits, int) { return __uint_as_float(bits & ~0x1fffu); });
}

inline void load_matrices(uint32_t (&m)[4], const void* row) {
  const void* rows[32];
  std::memcpy(rows, emulated::gather(&row, sizeof row), sizeof rows);
  for (int i = 0; i < 4; ++i)
    std::memcpy(&m[i], static_cast<const uint32_t*>(rows[8 * i + emulated::lane() / 4]) + emulated::lane() % 4, 4);
}
inline void load_matrices_transposed(uint32_t (&m)[4], const void* row) {
  const void* rows[32];
  std::memcpy(rows, emulated::gather(&row, sizeof row), sizeof rows);
  const unsigned column = emulated::lane() / 4, first = emulated::lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) {
    const auto *low = static_cast<const uint16_t*>(rows[8 * i + first]), *high = static_cast<const uint16_t*>(rows[8 * i + first + 1]);
    m[i] = low[column] | uint32_t(high[column]) << 16;
  }
}
inline float exp2_fast(float x) { return exp2f(x); }

inline void copy_async_16(void* to, const void* from, bool valid = true) { emulated::copy_async(to, valid ? from : nullptr, 16); }
inline void copy_async_4(void* to, const void* from, bool valid = true) { emulated::copy_async(to, valid ? from : nullptr, 4); }
inline void copy_async_commit() { emulated::copy_async_commit(); }
template <int pending> void copy_async_wait() { emulated::copy_async_wait(pending); }

#endif

}  // namespace uam::cuda
