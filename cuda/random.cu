#include "kernels/random.h"

#include "call.cuh"
#include "philox.cuh"

namespace uam::cuda {

// A thread has the four elements of one counter: two radii and, 32 elements behind them, their angles. Uniform numbers have the CPU's
// bits; normal ones differ from them by roundings, because logf and sincospif are the card's own.
__global__ void random_kernel(Distribution distribution, int64_t n, uint32_t seed, uint32_t step, uint32_t stream, float* y) {
  const int64_t counters = ceil_div<int64_t>(n, kPhiloxGroup) * kPhiloxLanes;
  for (int64_t counter = first_element(); counter < counters; counter += element_step()) {
    const PhiloxWords words = philox(seed, step, stream, uint64_t(counter));
    float value[4];
#pragma unroll
    for (int w = 0; w < 4; ++w) value[w] = philox_unit(words.word[w]);
    if (distribution == Distribution::normal) {
#pragma unroll
      for (int w = 0; w < 2; ++w) {
        const float radius = sqrtf(-2.f * logf(value[w] + 5.9604644775390625e-8f));  // of a number in (0, 1]
        float sine, cosine;
        sincospif(2.f * value[w + 2], &sine, &cosine);
        value[w] = radius * cosine;
        value[w + 2] = radius * sine;
      }
    }
    const int64_t first = philox_element(counter);
#pragma unroll
    for (int w = 0; w < 4; ++w)
      if (first + w * kPhiloxLanes < n) y[first + w * kPhiloxLanes] = value[w];
  }
}

void random(const Random& p) {
  Call call;
  float* y = call.out(p.y);
  call.launch_elements(philox_counters(p.n), random_kernel, p.distribution, p.n, p.seed, p.step, p.stream, y);
  call.finish();
}

}  // namespace uam::cuda
