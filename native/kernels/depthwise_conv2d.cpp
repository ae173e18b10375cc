#include "kernels/depthwise_conv2d.h"

#include <algorithm>
#include <cstring>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/depthwise_conv2d.cpp"
#include "simd.h"

#include "channel_sums.h"

namespace uam::cpu::UAM_ISA {

// Vectors run over channels, so there is no reduction across lanes; a tile of neighbouring targets shares each weight.
inline constexpr int kTargets = UAM_ISA_LEVEL == 2 ? 8 : 4;

// One gather, as in conv_core.h: target[n, rows, cols, c] = bias[c] + sum over taps of source[n, y, x, c] * weight[c, ky, kx].
struct DepthwiseGather {
  int64_t batch, channels;
  Axis rows, cols;
  const float* source;
  int64_t source_height, source_width;
  float* target;
  int64_t target_height, target_width;
  const float *bias, *weight;
  int64_t kernel_height, kernel_width;
};

// Strides, in floats, of the block of taps that a tile reads.
struct TapBlock {
  int64_t rows, cols;          // taps
  int64_t row, col;            // between taps in the source
  int64_t weight_row;          // between kernel rows in the packed weights [row taps, column taps, channels]
  int64_t target_source, out;  // between targets in the source and in the target
  int64_t channels;
};

// M neighbouring targets, all channels. K > 0: kernel rows of K taps whose neighbours are also the targets' neighbours,
// so that M + K - 1 loads serve M * K products.
template <int M, int K> __attribute__((noinline)) void depthwise_tile(const float* source, const float* weight, const float* bias,
                                                                      float* target, const TapBlock& taps) {
  for (int64_t c = 0; c < taps.channels; c += W) {
    const int n = int(std::min<int64_t>(W, taps.channels - c));
    const bool whole = n == W;
    const vf start = bias ? load_n(bias + c, n) : vf{};
    vf sums[M];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sums[m] = start;
    const auto accumulate = [&](auto read) {
      for (int64_t ty = 0; ty < taps.rows; ++ty) {
        const float *from = source + ty * taps.row + c, *w = weight + ty * taps.weight_row + c;
        if constexpr (K > 0) {
          vf row[M + K - 1];
#pragma GCC unroll 16
          for (int x = 0; x < M + K - 1; ++x) row[x] = read(from + x * taps.col);
#pragma GCC unroll 8
          for (int k = 0; k < K; ++k) {
            const vf factor = read(w + k * taps.channels);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sums[m] = fma(row[m + k], factor, sums[m]);
          }
        } else {
          for (int64_t tx = 0; tx < taps.cols; ++tx, from += taps.col, w += taps.channels) {
            const vf factor = read(w);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sums[m] = fma(read(from + m * taps.target_source), factor, sums[m]);
          }
        }
      }
    };
    if (whole) accumulate([](const float* p) { return load(p); });
    else accumulate([n](const float* p) { return load_n(p, n); });
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      if (whole) store(target + m * taps.out + c, sums[m]);
      else store_n(target + m * taps.out + c, sums[m], n);
    }
  }
}

using DepthwiseTile = void (*)(const float*, const float*, const float*, float*, const TapBlock&);

inline DepthwiseTile full_tile(const TapBlock& taps) {
  if (taps.col == taps.target_source) {
    if (taps.cols == 3) return &depthwise_tile<kTargets, 3>;
    if (taps.cols == 5) return &depthwise_tile<kTargets, 5>;
    if (taps.cols == 7) return &depthwise_tile<kTargets, 7>;
  }
  return &depthwise_tile<kTargets, 0>;
}

inline void gather_row(const DepthwiseGather& q, const float* packed, int64_t image, int64_t i) {
  const Axis &rows = q.rows, &cols = q.cols;
  const int64_t channels = q.channels;
  const Axis::Range ty = rows.taps_inside(i, q.source_height);
  const float* source =
      q.source + (image * q.source_height + rows.stride * i + rows.offset + ty.begin * rows.offset_step) * q.source_width * channels;
  float* target = q.target + ((image * q.target_height + rows.first + rows.step * i) * q.target_width + cols.first) * channels;
  const float* weight = packed + ty.begin * cols.taps * channels;
  TapBlock taps{ty.end - ty.begin,
                cols.taps,
                rows.offset_step * q.source_width * channels,
                cols.offset_step * channels,
                cols.taps * channels,
                cols.stride * channels,
                cols.step * channels,
                channels};
  const Axis::Range inside = cols.targets_inside(0, cols.taps, q.source_width);
  const auto at_edge = [&](int64_t j) {
    const Axis::Range tx = cols.taps_inside(j, q.source_width);
    TapBlock some = taps;
    some.cols = tx.end - tx.begin;
    depthwise_tile<1, 0>(source + (cols.stride * j + cols.offset + tx.begin * cols.offset_step) * channels, weight + tx.begin * channels,
                         q.bias, target + j * taps.out, some);
  };
  const DepthwiseTile tile = full_tile(taps);
  int64_t j = 0;
  for (; j < inside.begin; ++j) at_edge(j);
  for (; j + kTargets <= inside.end; j += kTargets)
    tile(source + (cols.stride * j + cols.offset) * channels, weight, q.bias, target + j * taps.out, taps);
  for (; j + 2 <= inside.end; j += 2)
    depthwise_tile<2, 0>(source + (cols.stride * j + cols.offset) * channels, weight, q.bias, target + j * taps.out, taps);
  for (; j < cols.count; ++j) at_edge(j);
}

inline void depthwise_gather(const DepthwiseGather& q) {
  const Axis &rows = q.rows, &cols = q.cols;
  if (q.batch == 0 || q.channels == 0 || rows.count == 0 || cols.count == 0) return;
  Scratch scratch;
  float* packed = scratch.take<float>(rows.taps * cols.taps * q.channels);  // [row taps, column taps, channels]
  for (int64_t ty = 0; ty < rows.taps; ++ty)
    for (int64_t tx = 0; tx < cols.taps; ++tx) {
      const int64_t tap = (rows.tap + ty * rows.tap_step) * q.kernel_width + cols.tap + tx * cols.tap_step;
      float* to = packed + (ty * cols.taps + tx) * q.channels;
      for (int64_t c = 0; c < q.channels; ++c) to[c] = q.weight[c * q.kernel_height * q.kernel_width + tap];
    }
  const int64_t work = cols.count * q.channels * (rows.taps * cols.taps + 8);
  parallel_for(q.batch * rows.count, std::max<int64_t>(1, 2'000'000 / work), [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) gather_row(q, packed, index / rows.count, index % rows.count);
  });
}

void depthwise_conv2d_fwd(const DepthwiseConv2dFwd& p) {
  const ConvGeometry& g = p.geometry;
  depthwise_gather({g.batch, g.groups, grid_rows(g), grid_cols(g), p.x.data, g.image_height, g.image_width, p.y.data, g.grid_height,
                    g.grid_width, p.bias.data, p.weight.data, g.kernel_height, g.kernel_width});
}

void depthwise_conv2d_bwd_input(const DepthwiseConv2dBwdInput& p) {
  const ConvGeometry& g = p.geometry;
  for (int64_t y = 0; y < std::min(g.stride_y, g.image_height); ++y)
    for (int64_t x = 0; x < std::min(g.stride_x, g.image_width); ++x)
      depthwise_gather({g.batch, g.groups, image_rows(g, y), image_cols(g, x), p.dy.data, g.grid_height, g.grid_width, p.dx.data,
                        g.image_height, g.image_width, nullptr, p.weight.data, g.kernel_height, g.kernel_width});
}

// A strip of grid rows, as the weight gradient sees it. Strides are in floats.
struct Strip {
  const float *dy, *x;  // first grid row; the image row that tap ty of it touches, at column cols.offset
  int64_t rows;
  int64_t dy_row, x_row;  // between grid rows
  int64_t channels, image_width;
};

// part[k, c] += sum over the strip of dy[c] * x[tap tx + k, c] for K taps of one kernel row and one vector of channels.
template <int K> __attribute__((noinline)) void depthwise_outer(const Strip& strip, const Axis& cols, int64_t tx, int64_t c, float* part) {
  const int64_t channels = strip.channels, pixel = cols.stride * channels, apart = cols.offset_step * channels;
  const int n = int(std::min<int64_t>(W, channels - c));
  const Axis::Range inside = cols.targets_inside(tx, tx + K, strip.image_width);
  vf sums[K] = {};
  for (int64_t r = 0; r < strip.rows; ++r) {
    const float *dy = strip.dy + r * strip.dy_row + c, *x = strip.x + r * strip.x_row + tx * apart + c;
    const auto at_edge = [&](int64_t j) {
      const vf slope = load_n(dy + j * channels, n);
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        const int64_t column = cols.stride * j + cols.offset + (tx + k) * cols.offset_step;
        if (column >= 0 && column < strip.image_width) sums[k] = fma(load_n(x + j * pixel + k * apart, n), slope, sums[k]);
      }
    };
    const auto along = [&](auto read) {
      int64_t j = inside.begin;
      if (pixel == channels && apart == channels) {  // the taps of a point are its neighbours': each value is read once for four points
        for (; j + 4 <= inside.end; j += 4) {
          vf values[K + 3];
#pragma GCC unroll 10
          for (int i = 0; i < K + 3; ++i) values[i] = read(x + (j + i) * channels);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) {
            const vf slope = read(dy + (j + i) * channels);
#pragma GCC unroll 8
            for (int k = 0; k < K; ++k) sums[k] = fma(values[i + k], slope, sums[k]);
          }
        }
      }
      for (; j < inside.end; ++j) {
        const vf slope = read(dy + j * channels);
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) sums[k] = fma(read(x + j * pixel + k * apart), slope, sums[k]);
      }
    };
    for (int64_t j = 0; j < inside.begin; ++j) at_edge(j);
    if (n == W) along([](const float* p) { return load(p); });
    else along([n](const float* p) { return load_n(p, n); });
    for (int64_t j = inside.end; j < cols.count; ++j) at_edge(j);
  }
#pragma GCC unroll 8
  for (int k = 0; k < K; ++k) store_n(part + k * channels, load_n(part + k * channels, n) + sums[k], n);
}

inline void depthwise_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dweight) {
  const int64_t channels = g.groups, kernel = g.kernel_height * g.kernel_width, total = channels * kernel;
  if (total == 0) return;
  const Axis rows = grid_rows(g), cols = grid_cols(g);
  if (g.batch == 0 || rows.count * cols.count == 0 || rows.taps * cols.taps == 0) {
    std::memset(dweight, 0, size_t(total) * sizeof(float));
    return;
  }
  const int64_t row_floats = (cols.count + g.image_width) * channels;
  const int64_t strip_rows = std::clamp<int64_t>((64 << 10) / row_floats, 1, rows.count);  // a strip of both stays in cache
  const int64_t plane_strips = (rows.count + strip_rows - 1) / strip_rows, strips = g.batch * plane_strips;
  const int64_t shares = std::min(std::min<int64_t>(strips, 32), std::max<int64_t>(1, (8 << 20) / total));

  Scratch scratch;
  float* parts = scratch.take<float>((shares + 1) * total);  // of each share [kernel taps, channels], and their sum
  parallel_for(shares, 1, [&](int64_t begin, int64_t end) {
    for (int64_t share = begin; share < end; ++share) {
      float* part = parts + share * total;
      std::memset(part, 0, size_t(total) * sizeof(float));
      for (int64_t index = strips * share / shares; index < strips * (share + 1) / shares; ++index) {
        const int64_t image = index / plane_strips, first = index % plane_strips * strip_rows,
                      last = std::min(first + strip_rows, rows.count);
        for (int64_t ty = 0; ty < rows.taps; ++ty) {
          const Axis::Range inside = rows.targets_inside(ty, ty + 1, g.image_height);
          const int64_t i = std::max(first, inside.begin), i_end = std::min(last, inside.end);
          if (i >= i_end) continue;
          const int64_t iy = rows.stride * i + rows.offset + ty * rows.offset_step;
          const Strip strip{dy + (image * g.grid_height + i) * g.grid_width * channels,
                            x + ((image * g.image_height + iy) * g.image_width + cols.offset) * channels,
                            i_end - i,
                            g.grid_width * channels,
                            rows.stride * g.image_width * channels,
                            channels,
                            g.image_width};
          float* to = part + ((rows.tap + ty) * g.kernel_width + cols.tap) * channels;
          for (int64_t tx = 0; tx < cols.taps;) {
            const int64_t left = cols.taps - tx, together = left >= 7 ? 7 : left >= 5 ? 5 : left >= 3 ? 3 : 1;
            for (int64_t c = 0; c < channels; c += W) {
              float* at = to + tx * channels + c;
              switch (together) {
                case 7: depthwise_outer<7>(strip, cols, tx, c, at); break;
                case 5: depthwise_outer<5>(strip, cols, tx, c, at); break;
                case 3: depthwise_outer<3>(strip, cols, tx, c, at); break;
                default: depthwise_outer<1>(strip, cols, tx, c, at);
              }
            }
            tx += together;
          }
        }
      }
    }
  });
  float* sums = parts + shares * total;
  add_parts(parts, total, shares, sums);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t tap = 0; tap < kernel; ++tap) dweight[c * kernel + tap] = sums[tap * channels + c];
}

void depthwise_conv2d_bwd_weight(const DepthwiseConv2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  if (p.dweight) depthwise_weight_gradient(g, p.x.data, p.dy.data, p.dweight.data);
  if (p.dbias) channel_sums(p.dy.data, g.batch * g.grid_height * g.grid_width, g.groups, p.dbias.data);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

// The geometry's channels belong to `groups`; anything else would make the loops leave the arrays.
static void check_depthwise(const ConvGeometry& g) {
  check_geometry(g);
  if (g.image_channels != 1 || g.grid_channels != 1)
    throw KernelError("UAM_ARGUMENT", "depthwise convolution: imageChannels and gridChannels must be 1");
}

void depthwise_conv2d_fwd(const DepthwiseConv2dFwd& p) {
  check_depthwise(p.geometry);
  UAM_BEST(depthwise_conv2d_fwd)(p);
}

void depthwise_conv2d_bwd_input(const DepthwiseConv2dBwdInput& p) {
  check_depthwise(p.geometry);
  UAM_BEST(depthwise_conv2d_bwd_input)(p);
}

void depthwise_conv2d_bwd_weight(const DepthwiseConv2dBwdWeight& p) {
  check_depthwise(p.geometry);
  UAM_BEST(depthwise_conv2d_bwd_weight)(p);
}

}  // namespace uam::cpu
#endif
