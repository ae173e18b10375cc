// The geometry every convolution here shares, seen from two sides: a kernel slides over an *image*, and each of its
// positions is a point of a *grid*. Tap (ky, kx) of grid point (gy, gx) touches the image pixel
//   (gy * stride_y + ky * dilation_y - padding_y,  gx * stride_x + kx * dilation_x - padding_x)
// or, outside the image, zero. conv2d reads the image and writes the grid; conv_transpose2d does the opposite; the
// gradient of either is the other.
#pragma once
#include <cstdint>
#include <numeric>

#include "params.h"

namespace uam {

struct ConvGeometry {
  int64_t batch, groups;
  int64_t image_height, image_width, image_channels;  // channels of one group
  int64_t grid_height, grid_width, grid_channels;     // channels of one group
  int64_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, padding_y, padding_x;

  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("groups", groups);
    v.dim("imageHeight", image_height);
    v.dim("imageWidth", image_width);
    v.dim("imageChannels", image_channels);
    v.dim("gridHeight", grid_height);
    v.dim("gridWidth", grid_width);
    v.dim("gridChannels", grid_channels);
    v.dim("kernelHeight", kernel_height);
    v.dim("kernelWidth", kernel_width);
    v.dim("strideY", stride_y);
    v.dim("strideX", stride_x);
    v.dim("dilationY", dilation_y);
    v.dim("dilationX", dilation_x);
    v.dim("paddingY", padding_y);
    v.dim("paddingX", padding_x);
  }
};

// Keeps products of lengths inside int64 and strides away from zero. Any grid size is safe after this: taps that fall
// outside the image are padding.
inline void check_geometry(const ConvGeometry& g) {
  constexpr int64_t limit = int64_t(1) << 24;
  for (int64_t stride : {g.stride_y, g.stride_x, g.dilation_y, g.dilation_x})
    if (stride < 1 || stride >= limit) throw KernelError("UAM_ARGUMENT", "stride and dilation must be from 1 to 2^24 - 1");
  for (int64_t length :
       {g.image_height, g.image_width, g.grid_height, g.grid_width, g.kernel_height, g.kernel_width, g.padding_y, g.padding_x})
    if (length >= limit) throw KernelError("UAM_ARGUMENT", "sizes and padding must be below 2^24");
}

// One dimension of a convolution, written as a gather: target position first + step * i (i < count) takes, for each
// tap t < taps, source position stride * i + offset + offset_step * t, with kernel index tap + tap_step * t.
// offset_step > 0, so sources rise with t.
struct Axis {
  int64_t first, step, count;
  int64_t stride, offset, offset_step;
  int64_t taps, tap, tap_step;

  int64_t last_offset() const { return offset + offset_step * (taps - 1); }

  // Drops taps that no target position finds inside a source of `length`.
  Axis trimmed(int64_t length) const {
    Axis axis = *this;
    while (axis.taps > 0 && axis.offset + stride * (count - 1) < 0) --axis.taps, axis.offset += offset_step, axis.tap += tap_step;
    while (axis.taps > 0 && axis.last_offset() >= length) --axis.taps;
    return axis;
  }

  // The taps [begin, end) whose source position for target i lies inside [0, length).
  struct Range {
    int64_t begin, end;
  };
  Range taps_inside(int64_t i, int64_t length) const {
    Range range{0, taps};
    const int64_t at = stride * i + offset;
    while (range.begin < range.end && at + offset_step * range.begin < 0) ++range.begin;
    while (range.begin < range.end && at + offset_step * (range.end - 1) >= length) --range.end;
    return range;
  }

  // The targets [begin, end) for which taps [t0, t1) all lie inside [0, length).
  Range targets_inside(int64_t t0, int64_t t1, int64_t length) const {
    const int64_t low = -(offset + offset_step * t0), high = length - 1 - (offset + offset_step * (t1 - 1));
    int64_t begin = low <= 0 ? 0 : (low + stride - 1) / stride;
    int64_t end = high < 0 ? 0 : high / stride + 1;
    end = end < count ? end : count;
    begin = begin < end ? begin : end;
    return {begin, end};
  }
};

// Gathering from the image onto the grid: every tap, in kernel order.
inline Axis grid_axis(int64_t grid, int64_t image, int64_t kernel, int64_t stride, int64_t dilation, int64_t padding) {
  return Axis{0, 1, grid, stride, -padding, dilation, kernel, 0, 1}.trimmed(image);
}

// Gathering from the grid onto the image positions phase, phase + stride, ...: position p takes grid point
// (p + padding - k * dilation) / stride from each tap k for which that is whole. Those taps lie stride / gcd apart.
inline Axis image_axis(int64_t phase, int64_t image, int64_t grid, int64_t kernel, int64_t stride, int64_t dilation, int64_t padding) {
  const int64_t gcd = std::gcd(stride, dilation), apart = stride / gcd;
  Axis axis{phase, stride, phase < image ? (image - 1 - phase) / stride + 1 : 0, 1, 0, dilation / gcd, 0, 0, -apart};
  int64_t k = 0;
  while (k < apart && k < kernel && (phase + padding - k * dilation) % stride != 0) ++k;
  if (k < apart && k < kernel) {
    axis.taps = (kernel - 1 - k) / apart + 1;
    axis.tap = k + apart * (axis.taps - 1);  // the last tap reaches the lowest source
    axis.offset = (phase + padding - axis.tap * dilation) / stride;
  }
  return axis.trimmed(grid);
}

inline Axis grid_rows(const ConvGeometry& g) {
  return grid_axis(g.grid_height, g.image_height, g.kernel_height, g.stride_y, g.dilation_y, g.padding_y);
}
inline Axis grid_cols(const ConvGeometry& g) {
  return grid_axis(g.grid_width, g.image_width, g.kernel_width, g.stride_x, g.dilation_x, g.padding_x);
}
inline Axis image_rows(const ConvGeometry& g, int64_t phase) {
  return image_axis(phase, g.image_height, g.grid_height, g.kernel_height, g.stride_y, g.dilation_y, g.padding_y);
}
inline Axis image_cols(const ConvGeometry& g, int64_t phase) {
  return image_axis(phase, g.image_width, g.grid_width, g.kernel_width, g.stride_x, g.dilation_x, g.padding_x);
}

}  // namespace uam
