#include "kernels/where.h"

#include "strided.cuh"

namespace uam::cuda {

__device__ __forceinline__ Quad four_of(const float* from, bool repeated) {
  if (!repeated) return load_quad<true>(from);
  const float value = *from;
  return {{value, value, value, value}};
}

__global__ void where_quads_kernel(int64_t quads, Places<3> places, bool repeat_mask, bool repeat_a, bool repeat_b, const uint8_t* mask,
                                   const float* a, const float* b, float* y) {
  for (int64_t i = first_element(); i < quads; i += element_step()) {
    int64_t at[3];
    places.find(i, at);
    uchar4 chosen;
    if (repeat_mask) chosen.x = chosen.y = chosen.z = chosen.w = mask[at[0]];
    else chosen = *reinterpret_cast<const uchar4*>(mask + at[0]);
    const Quad left = four_of(a + at[1], repeat_a), right = four_of(b + at[2], repeat_b);
    *reinterpret_cast<float4*>(y + i * 4) = make_float4(chosen.x ? left.v[0] : right.v[0], chosen.y ? left.v[1] : right.v[1],
                                                        chosen.z ? left.v[2] : right.v[2], chosen.w ? left.v[3] : right.v[3]);
  }
}

__global__ void where_kernel(int64_t n, Places<3> places, const uint8_t* mask, const float* a, const float* b, float* y) {
  for (int64_t i = first_element(); i < n; i += element_step()) {
    int64_t at[3];
    places.find(i, at);
    y[i] = mask[at[0]] ? a[at[1]] : b[at[2]];
  }
}

void where(const Where& p) {
  Walk<3> walk(table_of_host(p.shape));
  if (walk.n != p.n) throw KernelError("UAM_SHAPE", "y must hold as many elements as shape");
  walk.bind(0, table_of_host(p.strides_mask), 0, p.size_mask);
  walk.bind(1, table_of_host(p.strides_a), 0, p.size_a);
  walk.bind(2, table_of_host(p.strides_b), 0, p.size_b);
  Call call;
  const uint8_t* mask = call.in(p.mask);
  const float *a = call.in(p.a), *b = call.in(p.b);
  float* y = call.out(p.y);
  if (quads_along(walk, 0, mask, 4) && quads_along(walk, 1, a) && quads_along(walk, 2, b) && on_16_bytes(y))
    call.launch_elements(p.n / 4, where_quads_kernel, p.n / 4, Places<3>(walk, 4), walk.inner_stride(0) == 0, walk.inner_stride(1) == 0,
                         walk.inner_stride(2) == 0, mask, a, b, y);
  else call.launch_elements(p.n, where_kernel, p.n, Places<3>(walk), mask, a, b, y);
  call.finish();
}

}  // namespace uam::cuda
