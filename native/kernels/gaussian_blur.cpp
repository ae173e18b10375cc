#include "kernels/gaussian_blur.h"

#include <cstring>

#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {

namespace {

int64_t mirrored(int64_t i, int64_t n) {
  const int64_t period = 2 * n;
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - 1 - i;
}

}  // namespace

void gaussian_blur(const GaussianBlur& p) {
  if (p.taps < 1) throw KernelError("UAM_ARGUMENT", "weights must hold at least the weight of the centre");
  const int64_t radius = p.taps - 1, width = p.width;
  if (p.height == 0 || width == 0) return;
  Scratch scratch;
  float* rows = scratch.take<float>(p.height * width);

  parallel_for(p.height, 16, [&](int64_t begin, int64_t end) {
    Scratch own;
    float* padded = own.take<float>(width + 2 * radius);
    for (int64_t y = begin; y < end; ++y) {
      const float* in = p.plane.data + y * width;
      std::memcpy(padded + radius, in, size_t(width) * sizeof(float));
      for (int64_t k = 1; k <= radius; ++k) {
        padded[radius - k] = in[mirrored(-k, width)];
        padded[radius + width - 1 + k] = in[mirrored(width - 1 + k, width)];
      }
      float* row = rows + y * width;
      const float* centre = padded + radius;
      for (int64_t x = 0; x < width; ++x) row[x] = p.weights.data[0] * centre[x];
      for (int64_t k = 1; k <= radius; ++k) {
        const float w = p.weights.data[k];
        for (int64_t x = 0; x < width; ++x) row[x] += w * (centre[x - k] + centre[x + k]);
      }
    }
  });

  parallel_for(p.height, 16, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      float* out = p.out.data + y * width;
      const float* row = rows + y * width;
      for (int64_t x = 0; x < width; ++x) out[x] = p.weights.data[0] * row[x];
      for (int64_t k = 1; k <= radius; ++k) {
        const float w = p.weights.data[k];
        const float *above = rows + mirrored(y - k, p.height) * width, *below = rows + mirrored(y + k, p.height) * width;
        for (int64_t x = 0; x < width; ++x) out[x] += w * (above[x] + below[x]);
      }
    }
  });
}

}  // namespace uam::cpu
