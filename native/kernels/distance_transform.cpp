#include "kernels/distance_transform.h"

#include <algorithm>
#include <cmath>

#include "image_size.h"
#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {

namespace {

constexpr int32_t kNone = INT32_MAX;

void columns(const DistanceTransform& p, int32_t* up, int64_t begin, int64_t end) {
  const int64_t w = p.width, h = p.height;
  for (int64_t x = begin; x < end; ++x) up[x] = p.mask.data[x] ? kNone : 0;
  for (int64_t y = 1; y < h; ++y)
    for (int64_t i = y * w + begin; i < y * w + end; ++i) up[i] = !p.mask.data[i] ? 0 : up[i - w] == kNone ? kNone : up[i - w] + 1;
  for (int64_t y = h - 2; y >= 0; --y)
    for (int64_t i = y * w + begin; i < y * w + end; ++i)
      if (up[i + w] != kNone) up[i] = std::min(up[i], up[i + w] + 1);
}

// Floor of a / b for b > 0.
int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// The parabola of column u is (x - u)^2 + g[u]^2. `site` are those of the envelope, `from` the first x at which each is the least.
void row(const int32_t* g, float* out, int64_t w, int64_t* site, int64_t* from) {
  const auto square = [&](int64_t u) { return int64_t(g[u]) * g[u]; };
  int64_t n = 0;
  for (int64_t u = 0; u < w; ++u) {
    if (g[u] == kNone) continue;
    int64_t start = 0;
    while (n > 0) {
      const int64_t v = site[n - 1];
      // first x at which column u is strictly nearer than column v
      start = floor_div(u * u - v * v + square(u) - square(v), 2 * (u - v)) + 1;
      if (start > from[n - 1]) break;
      --n;
    }
    if (n == 0) start = 0;
    if (start >= w) continue;
    site[n] = u;
    from[n++] = start;
  }
  if (n == 0) {
    std::fill(out, out + w, INFINITY);
    return;
  }
  for (int64_t k = 0; k < n; ++k) {
    const int64_t end = k + 1 < n ? from[k + 1] : w, u = site[k];
    for (int64_t x = from[k]; x < end; ++x) out[x] = float(std::sqrt(double((x - u) * (x - u) + square(u))));
  }
}

}  // namespace

void distance_transform(const DistanceTransform& p) {
  check_image_size(p.height, p.width);
  if (p.height == 0 || p.width == 0) return;
  Scratch scratch;
  int32_t* up = scratch.take<int32_t>(p.height * p.width);
  parallel_for(p.width, 256, [&](int64_t begin, int64_t end) { columns(p, up, begin, end); });
  parallel_for(p.height, 16, [&](int64_t begin, int64_t end) {
    Scratch own;
    int64_t* site = own.take<int64_t>(p.width);
    int64_t* from = own.take<int64_t>(p.width);
    for (int64_t y = begin; y < end; ++y) row(up + y * p.width, p.distance.data + y * p.width, p.width, site, from);
  });
}

}  // namespace uam::cpu
