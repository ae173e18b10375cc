#include "kernels/dropout.h"

#include "call.cuh"
#include "philox.cuh"

namespace uam::cuda {

// A thread has the four elements of one counter; 16 threads move 64 bytes at a time.
__global__ void dropout_kernel(int64_t n, float rate, float scale, uint32_t seed, uint32_t step, uint32_t stream, const float* x,
                               float* y) {
  const int64_t counters = ceil_div<int64_t>(n, kPhiloxGroup) * kPhiloxLanes;
  for (int64_t counter = first_element(); counter < counters; counter += element_step()) {
    const int64_t first = philox_element(counter);
    float value[4];
#pragma unroll
    for (int w = 0; w < 4; ++w) value[w] = first + w * kPhiloxLanes < n ? x[first + w * kPhiloxLanes] : 0.f;
    const PhiloxWords words = philox(seed, step, stream, uint64_t(counter));
#pragma unroll
    for (int w = 0; w < 4; ++w)
      if (first + w * kPhiloxLanes < n) y[first + w * kPhiloxLanes] = philox_unit(words.word[w]) >= rate ? value[w] * scale : 0.f;
  }
}

void dropout(const Dropout& p) {
  Call call;
  const float* x = call.in(p.x);
  float* y = call.out(p.y);
  const float scale = 1.f / (1.f - p.rate);
  call.launch_elements(philox_counters(p.n), dropout_kernel, p.n, p.rate, scale, p.seed, p.step, p.stream, x, y);
  call.finish();
}

}  // namespace uam::cuda
