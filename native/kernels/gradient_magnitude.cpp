#include "kernels/gradient_magnitude.h"

#include <algorithm>
#include <cmath>

#include "parallel.h"

namespace uam::cpu {

void gradient_magnitude(const GradientMagnitude& p) {
  if (!(p.spacing_x > 0) || !(p.spacing_y > 0)) throw KernelError("UAM_ARGUMENT", "spacingX and spacingY must be above 0");
  const int64_t h = p.height, w = p.width;
  const double scale_x = 0.5 / p.spacing_x, scale_y = 0.5 / p.spacing_y;
  parallel_for(h, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double* row = p.x.data + r * w;
      const double* above = p.x.data + std::max<int64_t>(r - 1, 0) * w;
      const double* below = p.x.data + std::min(r + 1, h - 1) * w;
      double* y = p.y.data + r * w;
      const auto at = [&](int64_t left, int64_t c, int64_t right) {
        const double gx = (row[right] - row[left]) * scale_x, gy = (below[c] - above[c]) * scale_y;
        y[c] = double(float(std::sqrt(gx * gx + gy * gy)));
      };
      if (w > 0) at(0, 0, std::min<int64_t>(1, w - 1));
      for (int64_t c = 1; c + 1 < w; ++c) at(c - 1, c, c + 1);
      if (w > 1) at(w - 2, w - 1, w - 1);
    }
  });
}

}  // namespace uam::cpu
