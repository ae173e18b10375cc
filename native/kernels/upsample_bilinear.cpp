#include "kernels/upsample_bilinear.h"

#include <algorithm>
#include <cmath>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/upsample_bilinear.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

// One axis of the resize: where each output looks, and which outputs look at each input.
struct ResizeAxis {
  int64_t* low;     // [out] first source index
  int64_t* high;    // [out] second source index
  float* part;      // [out] weight of the second; the first has 1 - part
  int64_t* begin;   // [in] outputs [begin, end) look at this input; the coordinate rises, so they are neighbours
  int64_t* end;     // [in]
  float** weights;  // [in] and weigh it by weights[input][output - begin]; made by weigh()

  ResizeAxis(Scratch& scratch, int64_t in, int64_t out, bool align_corners)
      : low(scratch.take<int64_t>(out)),
        high(scratch.take<int64_t>(out)),
        part(scratch.take<float>(out)),
        begin(scratch.take<int64_t>(in)),
        end(scratch.take<int64_t>(in)),
        weights(nullptr) {
    for (int64_t i = 0; i < in; ++i) begin[i] = out, end[i] = out;
    for (int64_t o = 0; o < out; ++o) {
      const double at = align_corners ? (out > 1 ? double(o) * double(in - 1) / double(out - 1) : 0.0)
                                      : (double(o) + 0.5) * double(in) / double(out) - 0.5;
      const double inside = std::min(std::max(at, 0.0), double(in - 1));
      low[o] = int64_t(inside);
      high[o] = std::min(low[o] + 1, in - 1);
      part[o] = float(inside - double(low[o]));
      begin[low[o]] = std::min(begin[low[o]], o);
      begin[high[o]] = std::min(begin[high[o]], o);
      end[low[o]] = end[high[o]] = o + 1;
    }
  }

  // An output both of whose sources are the same input gives it both weights.
  void weigh(Scratch& scratch, int64_t in) {
    weights = scratch.take<float*>(in);
    int64_t total = 0;
    for (int64_t i = 0; i < in; ++i) total += end[i] - begin[i];
    float* next = scratch.take<float>(total);
    for (int64_t i = 0; i < in; ++i) {
      weights[i] = next;
      for (int64_t o = begin[i]; o < end[i]; ++o) *next++ = (low[o] == i ? 1.f - part[o] : 0.f) + (high[o] == i ? part[o] : 0.f);
    }
  }
};

// Rows of about this much work make a block.
inline int64_t rows_per_block(int64_t row_floats) { return std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, row_floats)); }

void upsample_bilinear_fwd(const UpsampleBilinearFwd& p) {
  if (p.y.size == 0) return;
  const int64_t channels = p.channels;
  Scratch scratch;
  const ResizeAxis rows(scratch, p.height, p.out_height, p.align_corners), cols(scratch, p.width, p.out_width, p.align_corners);
  parallel_for(p.batch * p.out_height, rows_per_block(p.out_width * channels), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t oy = row % p.out_height;
      const float* image = p.x.data + row / p.out_height * p.height * p.width * channels;
      const float *above = image + rows.low[oy] * p.width * channels, *below = image + rows.high[oy] * p.width * channels;
      const vf down = set1(rows.part[oy]), up = set1(1.f - rows.part[oy]);
      float* y = p.y.data + row * p.out_width * channels;
      for (int64_t ox = 0; ox < p.out_width; ++ox, y += channels) {
        const int64_t left = cols.low[ox] * channels, right = cols.high[ox] * channels;
        const vf to_right = set1(cols.part[ox]), to_left = set1(1.f - cols.part[ox]);
        const auto blend = [&](int64_t c, auto read) {
          const vf top = fma(to_right, read(above + right + c), to_left * read(above + left + c));
          const vf bottom = fma(to_right, read(below + right + c), to_left * read(below + left + c));
          return fma(down, bottom, up * top);
        };
        int64_t c = 0;
        for (; c + W <= channels; c += W) store(y + c, blend(c, [](const float* from) { return load(from); }));
        if (c < channels) {
          const int n = int(channels - c);
          store_n(y + c, blend(c, [n](const float* from) { return load_n(from, n); }), n);
        }
      }
    }
  });
}

// Each input pixel gathers from the outputs that looked at it, rows then columns: no two blocks write the same place.
void upsample_bilinear_bwd(const UpsampleBilinearBwd& p) {
  const int64_t channels = p.channels, row_floats = p.width * channels;
  if (p.dx.size == 0) return;
  Scratch scratch;
  ResizeAxis rows(scratch, p.height, p.out_height, p.align_corners), cols(scratch, p.width, p.out_width, p.align_corners);
  rows.weigh(scratch, p.height);
  cols.weigh(scratch, p.width);
  parallel_for(p.batch * p.height, rows_per_block(std::max(p.out_height / p.height, int64_t(1)) * p.out_width * channels),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const int64_t iy = row % p.height;
                   const float* image = p.dy.data + row / p.height * p.out_height * p.out_width * channels;
                   float* dx = p.dx.data + row * row_floats;
                   for (int64_t ix = 0; ix < p.width; ++ix, dx += channels) {
                     const float *down = rows.weights[iy], *across = cols.weights[ix];
                     const int64_t first = rows.begin[iy], last = rows.end[iy], left = cols.begin[ix], right = cols.end[ix];
                     for (int64_t c = 0; c < channels; c += W) {
                       const int n = int(std::min<int64_t>(W, channels - c));
                       vf total = {};
                       for (int64_t oy = first; oy < last; ++oy) {
                         const float* dy = image + (oy * p.out_width + left) * channels + c;
                         vf along = {};
                         for (int64_t k = 0; k < right - left; ++k, dy += channels)
                           along = fma(set1(across[k]), n == W ? load(dy) : load_n(dy, n), along);
                         total = fma(set1(down[oy - first]), along, total);
                       }
                       store_n(dx + c, total, n);
                     }
                   }
                 }
               });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

template <class P> void check_source(const P& p) {
  if ((p.height == 0 || p.width == 0) && p.out_height > 0 && p.out_width > 0)
    throw KernelError("UAM_SHAPE", "upsample_bilinear: an image without pixels cannot be resized");
}

void upsample_bilinear_fwd(const UpsampleBilinearFwd& p) {
  check_source(p);
  UAM_BEST(upsample_bilinear_fwd)(p);
}

void upsample_bilinear_bwd(const UpsampleBilinearBwd& p) {
  check_source(p);
  UAM_BEST(upsample_bilinear_bwd)(p);
}

}  // namespace uam::cpu
#endif
