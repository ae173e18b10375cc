#include "kernels/cell_gradient.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "parallel.h"

namespace uam::cpu {

namespace {

constexpr int64_t kRegionsPerBlock = 16;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The pixels of a region by row and column of the image, and their box.
struct Places {
  int64_t n, left, top, right, bottom;  // right and bottom are outside
  const int64_t *x, *y;
};

Places places_of(const RoiInput& input, int64_t r, const Roi& roi, Scratch& scratch) {
  const int32_t* box = input.boxes.data + 4 * r;
  int64_t* x = scratch.take<int64_t>(roi.n);
  int64_t* y = scratch.take<int64_t>(roi.n);
  Places places{roi.n, input.width, input.height, 0, 0, x, y};
  for (int64_t i = 0; i < roi.n; ++i) {
    y[i] = roi.at[i] / roi.stride;
    x[i] = roi.at[i] - y[i] * roi.stride - roi.pad + box[0];
    y[i] += box[1] - roi.pad;
    places.left = std::min(places.left, x[i]);
    places.right = std::max(places.right, x[i] + 1);
    places.top = std::min(places.top, y[i]);
    places.bottom = std::max(places.bottom, y[i] + 1);
  }
  return places;
}

// A window of the image, which goes on beyond its border as its outermost pixels.
struct Window {
  int64_t left, top, width, height;
  const double* values;
};

template <class T> void fill_window(const T* image, const RoiInput& input, const Window& window, double* values) {
  for (int64_t y = 0; y < window.height; ++y) {
    const T* row = image + std::clamp<int64_t>(window.top + y, 0, input.height - 1) * input.width;
    for (int64_t x = 0; x < window.width; ++x) *values++ = double(row[std::clamp<int64_t>(window.left + x, 0, input.width - 1)]);
  }
}

Window window_about(const RoiInput& input, const Places& places, int64_t margin, Scratch& scratch) {
  Window window{places.left - margin, places.top - margin, places.right - places.left + 2 * margin, places.bottom - places.top + 2 * margin,
                nullptr};
  double* values = scratch.take<double>(window.width * window.height);
  if (input.u8) fill_window(input.u8.data, input, window, values);
  else if (input.u16) fill_window(input.u16.data, input, window, values);
  else if (input.f32) fill_window(input.f32.data, input, window, values);
  else fill_window(input.f64.data, input, window, values);
  window.values = values;
  return window;
}

void describe_magnitude(const CellGradient& p, const Window& window, const Places& places, double* out, Scratch& scratch) {
  double* magnitude = scratch.take<double>(places.n);
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
  bool finite = true;
  for (int64_t i = 0; i < places.n; ++i) {
    const double* at = window.values + (places.y[i] - window.top) * window.width + (places.x[i] - window.left);
    const double dx = (at[1] - at[-1]) / (2 * p.spacing.x), dy = (at[window.width] - at[-window.width]) / (2 * p.spacing.y);
    const double m = std::sqrt(dx * dx + dy * dy);
    magnitude[i] = m;
    finite = finite && std::isfinite(m);
    low = std::min(low, m);
    high = std::max(high, m);
    sum += m;
  }
  if (!finite) return;
  const double n = double(places.n), mean = low == high ? low : sum / n;
  double m2 = 0, m3 = 0, m4 = 0;
  int32_t bins[kGradientBins] = {};
  for (int64_t i = 0; i < places.n; ++i) {
    const double d = magnitude[i] - mean, d2 = d * d;
    m2 += d2;
    m3 += d2 * d;
    m4 += d2 * d2;
    const double share = low == high ? 0 : (magnitude[i] - low) / (high - low);
    ++bins[std::min(int(share * kGradientBins), kGradientBins - 1)];
  }
  m2 /= n;
  m3 /= n;
  m4 /= n;
  double energy = 0;
  for (int32_t count : bins) energy += double(count) * double(count);
  out[CellGradient::kMagHistEnergy] = energy / (n * n);
  out[CellGradient::kMagHistEntropy] = entropy_of(bins, kGradientBins, places.n, kLog2.data());
  out[CellGradient::kMagKurtosis] = m2 == 0 ? 0 : m4 / (m2 * m2) - (p.excess_kurtosis ? 3 : 0);
  out[CellGradient::kMagMean] = mean;
  out[CellGradient::kMagSkewness] = m2 == 0 ? 0 : m3 / (m2 * std::sqrt(m2));
  out[CellGradient::kMagStd] = std::sqrt(m2);
}

// The window smoothed by a Gaussian along both axes, kBlurReach smaller on every side. Pairs of weights are added first, so that
// a mirrored image gives the same bits.
Window blur(const Window& window, Scratch& scratch) {
  double weight[kBlurReach + 1], total = 0;
  for (int k = 0; k <= kBlurReach; ++k) total += (k > 0 ? 2 : 1) * (weight[k] = std::exp(-0.5 * k * k));
  for (double& w : weight) w /= total;
  const int64_t width = window.width - 2 * kBlurReach, height = window.height - 2 * kBlurReach;
  double* rows = scratch.take<double>(width * window.height);
  double* values = scratch.take<double>(width * height);
  const auto along = [&weight](const double* at, int64_t stride) {
    double sum = weight[0] * at[0];
    for (int k = 1; k <= kBlurReach; ++k) sum += weight[k] * (at[k * stride] + at[-k * stride]);
    return sum;
  };
  for (int64_t y = 0; y < window.height; ++y)
    for (int64_t x = 0; x < width; ++x) rows[y * width + x] = along(window.values + y * window.width + x + kBlurReach, 1);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) values[y * width + x] = along(rows + (y + kBlurReach) * width + x, width);
  return {window.left + kBlurReach, window.top + kBlurReach, width, height, values};
}

struct Slope {
  double dx, dy;
};

// The neighbour along the gradient, to the nearest eighth of a turn.
int64_t steepest_step(const Slope& slope, int64_t stride) {
  constexpr double kTangent = 0.41421356237309503;  // of an eighth of a half turn
  if (std::fabs(slope.dy) <= kTangent * std::fabs(slope.dx)) return 1;
  if (std::fabs(slope.dx) <= kTangent * std::fabs(slope.dy)) return stride;
  return (slope.dx > 0) == (slope.dy > 0) ? stride + 1 : stride - 1;
}

// Canny's edges in the region's box: 1 where an edge may go on, 2 where it begins and where it goes.
const uint8_t* find_edges(const Window& smooth, double range, Scratch& scratch) {
  const int64_t width = smooth.width - 2, height = smooth.height - 2;  // of the gradient: the box and one pixel about it
  double* magnitude = scratch.take<double>(width * height);
  const auto slope = [&smooth](int64_t x, int64_t y) {
    const double* at = smooth.values + (y + 1) * smooth.width + x + 1;
    return Slope{(at[1] - at[-1]) / 2, (at[smooth.width] - at[-smooth.width]) / 2};
  };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const Slope s = slope(x, y);
      magnitude[y * width + x] = std::sqrt(s.dx * s.dx + s.dy * s.dy);
    }
  }
  uint8_t* edge = scratch.take<uint8_t>(width * height);
  int64_t* stack = scratch.take<int64_t>(width * height);
  int64_t waiting = 0;
  std::memset(edge, 0, size_t(width * height));
  for (int64_t y = 1; y < height - 1; ++y) {
    for (int64_t x = 1; x < width - 1; ++x) {
      const int64_t at = y * width + x;
      const double m = magnitude[at];
      if (!(m > 0) || m < kEdgeLow * range) continue;
      const int64_t step = steepest_step(slope(x, y), width);
      if (m < magnitude[at + step] * kEdgeTie || m < magnitude[at - step] * kEdgeTie) continue;
      edge[at] = 1;
      if (m < kEdgeHigh * range) continue;
      edge[at] = 2;
      stack[waiting++] = at;
    }
  }
  while (waiting > 0) {
    const int64_t at = stack[--waiting];
    for (int64_t dy = -width; dy <= width; dy += width) {
      for (int64_t dx = -1; dx <= 1; ++dx) {
        if (edge[at + dy + dx] != 1) continue;
        edge[at + dy + dx] = 2;
        stack[waiting++] = at + dy + dx;
      }
    }
  }
  return edge;
}

void count_canny(const Roi& roi, const Window& window, const Places& places, double* out, Scratch& scratch) {
  for (int64_t i = 0; i < window.width * window.height; ++i)
    if (!std::isfinite(window.values[i])) return;
  const Window smooth = blur(window, scratch);
  const uint8_t* edge = find_edges(smooth, roi.maximum - roi.minimum, scratch);
  const int64_t width = smooth.width - 2, left = smooth.left + 1, top = smooth.top + 1;
  int64_t edges = 0;
  if (roi.maximum > roi.minimum)  // a flat region has none, whatever lies beside it
    for (int64_t i = 0; i < places.n; ++i) edges += edge[(places.y[i] - top) * width + places.x[i] - left] == 2;
  out[CellGradient::kCannyMean] = double(edges) / double(places.n);
  out[CellGradient::kCannySum] = double(edges);
}

}  // namespace

void cell_gradient(const CellGradient& p) {
  check_input(p);
  check_spacing(p.spacing);
  parallel_for(p.rois, kRegionsPerBlock, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Scratch scratch;
      const Roi roi = gather_roi(p, r, 0, scratch);
      double* out = p.out.data + r * CellGradient::kColumns;
      std::fill(out, out + CellGradient::kColumns, kNaN);
      if (roi.n == 0 || !roi.finite) continue;
      const Places places = places_of(p, r, roi, scratch);
      // The Gaussian, the difference and the neighbour to compare with.
      const Window window = window_about(p, places, kBlurReach + 2, scratch);
      describe_magnitude(p, window, places, out, scratch);
      count_canny(roi, window, places, out, scratch);
    }
  });
}

}  // namespace uam::cpu
