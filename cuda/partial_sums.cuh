// Sums whose terms were added up in parts (by blocks, say): out[i] = sum over p of parts[p][i], always in the same order.
#pragma once
#include "call.cuh"

namespace uam::cuda {

static __global__ void add_parts_kernel(int64_t parts, int64_t count, const float* from, float* out) {
  for (int64_t i = first_element(); i < count; i += element_step()) {
    float sums[4] = {0.f, 0.f, 0.f, 0.f};  // four at a time, so that their loads do not wait for one another
    int64_t p = 0;
    for (; p + 4 <= parts; p += 4) {
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[k] += from[(p + k) * count + i];
    }
    for (; p < parts; ++p) sums[0] += from[p * count + i];
    out[i] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

// Sums over the first axis of `from`, [parts, count]; nothing where `out` is null.
inline void add_parts(Call& call, int64_t parts, int64_t count, const float* from, float* out) {
  if (out) call.launch_elements(count, add_parts_kernel, parts, count, from, out);
}

}  // namespace uam::cuda
