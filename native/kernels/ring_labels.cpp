#include "kernels/ring_labels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "parallel.h"

namespace uam::cpu {

namespace {

constexpr int64_t kTile = 256;   // pixels: one tile's rows of nearest cells stay in the cache
constexpr double kMost = 1e150;  // any length beyond it is as long: its square is still a number
constexpr double kFar = std::numeric_limits<double>::infinity();

// Distances in units of the smaller side of a pixel, squared: whole numbers where pixels are square, so that ties are ties.
struct Metric {
  double x, y;   // weights of dx^2 and dy^2
  double limit;  // squared width of the ring, a little more so that a rounded width includes its last pixel
  int64_t reach_x, reach_y;
};

Metric metric_of(const RingLabels& p) {
  const double unit = std::min(p.spacing.x, p.spacing.y);
  const auto in_units = [unit](double length) { return std::min(length / unit, kMost); };
  const double x = in_units(p.spacing.x), y = in_units(p.spacing.y), width = in_units(p.ring_width);
  const double limit = width * width * (1 + 1e-9);
  const auto reach = [&](double weight, int64_t most) {
    const double pixels = std::sqrt(limit) / weight;
    return pixels < double(most) ? int64_t(pixels) : most;
  };
  return {x * x, y * y, limit, reach(x, p.width), reach(y, p.height)};
}

// Along one row: the nearest cell pixel on either side, of two as near the one with the smaller id.
bool nearest_in_row(const uint32_t* labels, int64_t width, int64_t x0, int64_t x1, const Metric& metric, double* far, uint32_t* id) {
  const int64_t reach = metric.reach_x;
  bool found = false;
  int64_t last = std::numeric_limits<int64_t>::min() / 2;
  for (int64_t x = std::max<int64_t>(x0 - reach, 0); x < x1; ++x) {
    if (labels[x]) last = x;
    if (x < x0) continue;
    const bool near = x - last <= reach;
    far[x - x0] = near ? metric.x * (double(x - last) * double(x - last)) : kFar;
    id[x - x0] = near ? labels[last] : 0;
    found = found || near;
  }
  last = std::numeric_limits<int64_t>::max() / 2;
  for (int64_t x = std::min(x1 + reach, width) - 1; x >= x0; --x) {
    if (labels[x]) last = x;
    if (x >= x1 || last - x > reach) continue;
    const double d = metric.x * (double(last - x) * double(last - x));
    found = true;
    if (d < far[x - x0] || (d == far[x - x0] && labels[last] < id[x - x0])) {
      far[x - x0] = d;
      id[x - x0] = labels[last];
    }
  }
  return found;
}

void one_tile(const RingLabels& p, const Metric& metric, int64_t x0, int64_t y0) {
  const int64_t x1 = std::min(x0 + kTile, p.width), y1 = std::min(y0 + kTile, p.height), columns = x1 - x0;
  const int64_t top = std::max<int64_t>(y0 - metric.reach_y, 0), bottom = std::min(y1 + metric.reach_y, p.height);
  Scratch scratch;
  double* far = scratch.take<double>((bottom - top) * columns);
  uint32_t* near = scratch.take<uint32_t>((bottom - top) * columns);
  bool* found = scratch.take<bool>(bottom - top);
  for (int64_t y = top; y < bottom; ++y) {
    const int64_t row = (y - top) * columns;
    found[y - top] = nearest_in_row(p.labels.data + y * p.width, p.width, x0, x1, metric, far + row, near + row);
  }
  double* best = scratch.take<double>(columns);
  const double start = std::nextafter(metric.limit, kFar);
  for (int64_t y = y0; y < y1; ++y) {
    const uint32_t* label = p.labels.data + y * p.width + x0;
    uint32_t* ring = p.rings.data + y * p.width + x0;
    for (int64_t x = 0; x < columns; ++x) {
      best[x] = label[x] ? -1 : start;  // nothing is nearer than -1: cells keep out
      ring[x] = 0;
    }
    for (int64_t k = 0; k <= metric.reach_y; ++k) {  // rows ever farther away, until none can hold anything nearer
      const double along_y = metric.y * (double(k) * double(k));
      if (along_y > *std::max_element(best, best + columns)) break;
      for (int side = 0; side < (k > 0 ? 2 : 1); ++side) {
        const int64_t other = side ? y + k : y - k;
        if (other < top || other >= bottom || !found[other - top]) continue;
        const double* d = far + (other - top) * columns;
        const uint32_t* id = near + (other - top) * columns;
        for (int64_t x = 0; x < columns; ++x) {
          const double all = d[x] + along_y;
          const bool nearer = all < best[x] || (all == best[x] && id[x] < ring[x]);
          best[x] = nearer ? all : best[x];
          ring[x] = nearer ? id[x] : ring[x];
        }
      }
    }
  }
}

}  // namespace

void ring_labels(const RingLabels& p) {
  check_spacing(p.spacing);
  if (!(p.ring_width >= 0) || !std::isfinite(p.ring_width))
    throw KernelError("UAM_ARGUMENT", "ringWidth must be a number of at least 0, received " + std::to_string(p.ring_width));
  if (p.height == 0 || p.width == 0) return;
  const Metric metric = metric_of(p);
  const int64_t across = (p.width + kTile - 1) / kTile, down = (p.height + kTile - 1) / kTile;
  parallel_for(across * down, 1, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) one_tile(p, metric, tile % across * kTile, tile / across * kTile);
  });
}

}  // namespace uam::cpu
