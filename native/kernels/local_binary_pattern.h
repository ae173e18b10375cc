// Local binary patterns of a plane (Ojala, Pietikainen & Maenpaa 2002), in the arithmetic of scikit-image's local_binary_pattern.
// Sample s of pixel (r, c) is the bilinear interpolation at (r + row_offsets[s], c + column_offsets[s]), 0 outside the plane:
//   bit s = 1 where sample - x[r, c] >= 0
//   plain            sum of bit s * 2^s
//   rotation         the least of the plain codes of all rotations of the bits
//   uniform          the number of ones where at most two neighbouring bits differ along the row of bits, else samples + 1
//   variance         the variance of the samples instead of a code (NaN where it is 0)
#pragma once
#include "params.h"

namespace uam {

inline constexpr int64_t kMostLbpSamples = 31;  // a code is an int32

enum class BinaryPattern : int32_t { plain, rotation, uniform, variance, count };

struct LocalBinaryPattern {
  int64_t height, width, samples;
  BinaryPattern method;
  In<double> row_offsets, column_offsets;  // [samples], at most 1e6 in magnitude
  In<double> x;                            // [height, width]
  Out<double> y;                           // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("samples", samples);
    v.choice("method", method, int(BinaryPattern::count));
    v.array("rowOffsets", row_offsets, {samples});
    v.array("columnOffsets", column_offsets, {samples});
    v.array("x", x, {height, width});
    v.array("y", y, {height, width});
  }
};

}  // namespace uam
