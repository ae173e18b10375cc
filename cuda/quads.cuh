// Four neighbouring numbers at a time: an instruction moves 16 bytes where the address allows it. Where it does not (a view may
// start at any element, a row may have any length), the same four numbers are moved one by one, so that sums keep their order.
#pragma once
#include "call.cuh"

namespace uam::cuda {

struct Quad {
  float v[4] = {0.f, 0.f, 0.f, 0.f};
};

// Whether every address is a multiple of 16; an array that is absent hinders nobody.
template <class... Ts> bool on_16_bytes(const Ts*... at) { return ((reinterpret_cast<uintptr_t>(at) % 16 == 0) && ...); }

// `count` numbers, of which four are moved at most, and zeros behind them.
template <bool kAligned> __device__ __forceinline__ Quad load_quad(const float* from, int64_t count = 4) {
  Quad to;
  if (kAligned && count >= 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to.v[0] = four.x, to.v[1] = four.y, to.v[2] = four.z, to.v[3] = four.w;
    return to;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) to.v[i] = from[i];
  return to;
}

template <bool kAligned> __device__ __forceinline__ void store_quad(float* to, const Quad& from, int64_t count = 4) {
  if (kAligned && count >= 4) {
    *reinterpret_cast<float4*>(to) = make_float4(from.v[0], from.v[1], from.v[2], from.v[3]);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) to[i] = from.v[i];
}

// visit(first element, how many of the quad exist) for the quads of this thread; launched by launch_elements(quads_of(n), ...).
UAM_HD constexpr int64_t quads_of(int64_t n) { return (n + 3) / 4; }
template <class Visit> __device__ __forceinline__ void for_quads(int64_t n, Visit&& visit) {
  for (int64_t i = first_element() * 4; i < n; i += element_step() * 4) visit(i, n - i);
}

}  // namespace uam::cuda
