// Regions of interest: the pixels of one cell, gathered from an image and its label image, binned to grey levels and laid out
// so that texture kernels can look at neighbours without asking where the cell ends.
//
// Every radiomics kernel takes the same input (RoiInput) and writes one row of doubles per region.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

#include "params.h"
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
};

// Gathers region r; `reach` is how far texture looks, in pixels. Offsets longer than the box meet nothing, so the pad never
// exceeds the box.
Roi gather_roi(const RoiInput& input, int64_t r, int64_t reach, Scratch& scratch);

// Writes rows of four numbers into input.matrix, as many as fit.
class MatrixRows {
 public:
  explicit MatrixRows(const RoiInput& input);
  void add(double a, double b, double c, double d);

 private:
  double* next_;
  double* end_;
};

// Steps between neighbours: half of the rings at the given distances (infinity norm), so that each pair is met once, in rows
// downward: (0, 1) (1, -1) (1, 0) (1, 1) for distance 1. Steps longer than the region's box are left out, as nothing is there.
struct Step {
  int32_t dy, dx;
};
int64_t count_steps(const int32_t* distances, int64_t count, const Roi& roi);
int64_t list_steps(const int32_t* distances, int64_t count, const Roi& roi, Step* steps);

constexpr double kEpsilon = 2.220446049250313e-16;  // what PyRadiomics adds inside every logarithm

// log2 of a whole number, from a table while it is small.
constexpr int64_t kLogs = 4096;
extern const std::array<double, kLogs> kLog2;
inline double log2_of(int64_t n) { return n < kLogs ? kLog2[size_t(n)] : std::log2(double(n)); }

// -sum p log2(p + eps) of counts whose sum is `total`.
double entropy_of(const int32_t* counts, int64_t length, int64_t total);

}  // namespace uam
