#include "kernels/binary.h"

#include "strided.cuh"

namespace uam::cuda {

// f over N pairs; the choice of f is the same for every thread, and made once for all N. NaN if either is NaN.
template <int N> __device__ __forceinline__ void binary_values(BinaryOp op, const float (&a)[N], const float (&b)[N], float (&y)[N]) {
  const auto each = [&](auto f) {
#pragma unroll
    for (int i = 0; i < N; ++i) y[i] = f(a[i], b[i]);
  };
  switch (op) {
    case BinaryOp::add: return each([](float a, float b) { return a + b; });
    case BinaryOp::sub: return each([](float a, float b) { return a - b; });
    case BinaryOp::mul: return each([](float a, float b) { return a * b; });
    case BinaryOp::div: return each([](float a, float b) { return a / b; });
    case BinaryOp::maximum: return each([](float a, float b) { return a > b || a != a ? a : b; });
    case BinaryOp::minimum: return each([](float a, float b) { return a < b || a != a ? a : b; });
    case BinaryOp::greater_equal: return each([](float a, float b) { return a >= b ? 1.f : 0.f; });
    case BinaryOp::count: return;
  }
}

// N neighbours, or one number N times.
template <int N> __device__ __forceinline__ void read(const float* from, bool repeated, float (&to)[N]) {
  if (N == 1 || repeated) {
    const float value = *from;
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = value;
    return;
  }
  const Quad four = load_quad<true>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = four.v[i];
}

// Results in C order, N at a time along the last axis.
template <int N> __global__ void binary_kernel(BinaryOp op, int64_t n, Places<2> places, bool repeat_a, bool repeat_b, const float* a,
                                               const float* b, float* y) {
  for (int64_t i = first_element(); i < n; i += element_step()) {
    int64_t at[2];
    places.find(i, at);
    float left[N], right[N], result[N];
    read<N>(a + at[0], repeat_a, left);
    read<N>(b + at[1], repeat_b, right);
    binary_values<N>(op, left, right, result);
    if constexpr (N == 4) *reinterpret_cast<float4*>(y + i * 4) = make_float4(result[0], result[1], result[2], result[3]);
    else y[i] = result[0];
  }
}

void binary(const Binary& p) {
  Walk<2> walk(table_of_host(p.shape));
  if (walk.n != p.n) throw KernelError("UAM_SHAPE", "y must hold as many elements as shape");
  walk.bind(0, table_of_host(p.strides_a), 0, p.size_a);
  walk.bind(1, table_of_host(p.strides_b), 0, p.size_b);
  Call call;
  const float *a = call.in(p.a), *b = call.in(p.b);
  float* y = call.out(p.y);
  const bool repeat_a = walk.inner_stride(0) == 0, repeat_b = walk.inner_stride(1) == 0;
  if (quads_along(walk, 0, a) && quads_along(walk, 1, b) && on_16_bytes(y))
    call.launch_elements(p.n / 4, binary_kernel<4>, p.op, p.n / 4, Places<2>(walk, 4), repeat_a, repeat_b, a, b, y);
  else call.launch_elements(p.n, binary_kernel<1>, p.op, p.n, Places<2>(walk), repeat_a, repeat_b, a, b, y);
  call.finish();
}

}  // namespace uam::cuda
