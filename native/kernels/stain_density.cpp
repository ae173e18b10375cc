#include "kernels/stain_density.h"

#include <vector>

#include "parallel.h"

namespace uam::cpu {

void stain_density(const StainDensity& p) {
  float* const planes[3] = {p.haematoxylin.data, p.eosin.data, p.residual.data};
  for (int s = 0; s < 3; ++s) {
    float* plane = planes[s];
    if (!plane) continue;
    // What each value of each channel adds, so that a pixel takes three look-ups.
    std::vector<double> adds(3 * 256);
    for (int c = 0; c < 3; ++c)
      for (int value = 0; value < 256; ++value) adds[size_t(c * 256 + value)] = p.table.data[value] * p.inverse.data[c * 3 + s];
    const double *r = adds.data(), *g = r + 256, *b = g + 256;
    parallel_for(p.pixels, 1 << 16, [&](int64_t begin, int64_t end) {
      const uint8_t* rgb = p.rgb.data + begin * 3;
      for (int64_t i = begin; i < end; ++i, rgb += 3) plane[i] = float((r[rgb[0]] + g[rgb[1]]) + b[rgb[2]]);
    });
  }
}

}  // namespace uam::cpu
