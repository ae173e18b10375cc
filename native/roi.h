// Regions of interest: the pixels of one cell, gathered from an image and its label image, binned to grey levels and laid out
// so that texture kernels can look at neighbours without asking where the cell ends.
//
// Every radiomics kernel takes the same input (RoiInput) and writes one row of doubles per region.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

#include "params.h"
#include "scalar.h"
#include "scratch.h"

namespace uam {

// The label image and the regions in it: region r is the pixels of box r whose label is ids[r].
struct RoiMask {
  int64_t height = 0, width = 0, rois = 0;
  In<uint32_t> labels;  // [height, width]
  In<uint32_t> ids;     // [rois]
  In<int32_t> boxes;    // [rois, 4] x0, y0, x1, y1; x1 and y1 are outside

  template <class V> void mask_fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("rois", rois);
    v.array("labels", labels, {height, width});
    v.array("ids", ids, {rois});
    v.array("boxes", boxes, {rois, 4});
  }
};

enum class Resegment { none, absolute, relative, sigma };

// One channel of the image (exactly one of the four arrays) and how its values become grey levels.
struct RoiInput : RoiMask {
  In<uint8_t> u8;
  In<uint16_t> u16;
  In<float> f32;
  In<double> f64;              // each [height, width]
  double bin_width = 25;       // bins [k w, (k + 1) w)
  int64_t bin_count = 0;       // when not 0: this many bins over [min, max] instead
  bool bins_from_min = false;  // IBSI: bins [min + k w, min + (k + 1) w)
  Resegment resegment = Resegment::none;
  double low = 0, high = 0;  // the range that resegmentation keeps, closed
  int64_t matrix_size = 0;
  Out<double> matrix;  // [matrix_size] for tests: the raw matrix of region 0 in rows of 4 numbers, then NaN

  template <class V> void input_fields(V&& v) {
    mask_fields(v);
    v.optional("u8", u8, {height, width});
    v.optional("u16", u16, {height, width});
    v.optional("f32", f32, {height, width});
    v.optional("f64", f64, {height, width});
    v.number("binWidth", bin_width);
    v.dim("binCount", bin_count);
    v.flag("binsFromMinimum", bins_from_min);
    v.choice("resegment", resegment, 4);
    v.number("low", low);
    v.number("high", high);
    v.dim("matrixSize", matrix_size);
    v.optional("matrix", matrix, {matrix_size});
  }
};

// Throws KernelError unless every box lies in the image. (check_input: and there is one channel, and the bins make sense.)
void check_mask(const RoiMask& mask);
void check_input(const RoiInput& input);

// One gathered region. Everything lives in the Scratch it was gathered with.
struct Roi {
  int64_t n = 0;                          // pixels
  int64_t box_width = 0, box_height = 0;  // of the pixels that are left after resegmentation
  const double* values = nullptr;         // [n] intensities, in rows
  double minimum = 0, maximum = 0;
  const int32_t* histogram = nullptr;  // [256] of the values, where the image has 8 bits
  bool finite = true;                  // no NaN, no infinity: otherwise there are no levels

  int32_t levels = 0;               // grey levels present
  const double* grey = nullptr;     // [levels] their numbers, rising, the first is 1 (or more, if low bins are empty)
  const int32_t* counts = nullptr;  // [levels] pixels of each

  // The level image: index of the pixel's level plus 1, and 0 outside the region, with `pad` zeros on every side.
  int64_t pad = 0, stride = 0, rows = 0;
  const int32_t* image = nullptr;  // [rows, stride]
  const int32_t* at = nullptr;     // [n] places of the pixels in `image`

  const double* logs = nullptr;  // kLog2, where this device can read it
};

// Gathers region r; `reach` is how far texture looks, in pixels. Offsets longer than the box meet nothing, so the pad never
// exceeds the box.
Roi gather_roi(const RoiInput& input, int64_t r, int64_t reach, Scratch& scratch);

// Writes rows of four numbers into input.matrix, as many as fit.
class MatrixRows {
 public:
  MatrixRows() = default;
  UAM_HD explicit MatrixRows(const RoiInput& input) : next_(input.matrix.data), end_(input.matrix.data + input.matrix.size) {
    for (double* at = next_; at < end_; ++at) *at = NAN;
  }
  UAM_HD void add(double a, double b, double c, double d) {
    if (end_ - next_ < 4) return;
    next_[0] = a, next_[1] = b, next_[2] = c, next_[3] = d;
    next_ += 4;
  }

 private:
  double* next_ = nullptr;
  double* end_ = nullptr;
};

// Steps between neighbours: half of the rings at the given distances (infinity norm), so that each pair is met once, in rows
// downward: (0, 1) (1, -1) (1, 0) (1, 1) for distance 1. Steps longer than the region's box are left out, as nothing is there.
struct Step {
  int32_t dy, dx;
};
template <class F> UAM_HD void each_step(const int32_t* distances, int64_t count, const Roi& roi, F&& use) {
  const int64_t reach = most(roi.box_width, roi.box_height) - 1;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t d = distances[k];
    if (d > reach) continue;
    const int64_t down = least(d, roi.box_height - 1), aside = least(d, roi.box_width - 1);
    for (int64_t dy = 0; dy <= down; ++dy) {
      for (int64_t dx = -aside; dx <= aside; ++dx) {
        const bool on_ring = dy == d || dx == d || dx == -d;
        if (on_ring && (dy > 0 || dx > 0)) use(Step{int32_t(dy), int32_t(dx)});
      }
    }
  }
}

UAM_HD inline int64_t count_steps(const int32_t* distances, int64_t count, const Roi& roi) {
  int64_t steps = 0;
  each_step(distances, count, roi, [&](Step) { ++steps; });
  return steps;
}

UAM_HD inline int64_t list_steps(const int32_t* distances, int64_t count, const Roi& roi, Step* steps) {
  int64_t n = 0;
  each_step(distances, count, roi, [&](Step step) { steps[n++] = step; });
  return n;
}

constexpr double kEpsilon = 2.220446049250313e-16;  // what PyRadiomics adds inside every logarithm

// log2 of a whole number, from a table while it is small: the same bits on every device.
constexpr int64_t kLogs = 4096;
extern const std::array<double, kLogs> kLog2;
UAM_HD inline double log2_of(int64_t n, const double* logs) { return n < kLogs ? logs[n] : log2(double(n)); }

// -sum p log2(p + eps) of counts whose sum is `total`.
UAM_HD inline double entropy_of(const int32_t* counts, int64_t length, int64_t total, const double* logs) {
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    if (counts[i] == total) return -log2(1 + kEpsilon);
    if (counts[i] > 0) sum += double(counts[i]) * log2_of(counts[i], logs);
  }
  return log2_of(total, logs) - sum / double(total);
}

}  // namespace uam
