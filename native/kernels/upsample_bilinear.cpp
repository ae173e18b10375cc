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
      const ResizeSource source(o, in, out, align_corners);
      low[o] = source.low;
      high[o] = source.high;
      part[o] = source.part;
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

// y[0:channels] = weights of the four pixels around it; pixels have at least one vector of channels.
inline void blend_pixel(const float* above, const float* below, int64_t left, int64_t right, float part_down, float part_right,
                        int64_t channels, float* y) {
  const vf down = set1(part_down), up = set1(1.f - part_down), to_right = set1(part_right), to_left = set1(1.f - part_right);
  for (int64_t c = 0; c < channels; c += W) {
    const int n = int(std::min<int64_t>(W, channels - c));
    const vf top = fma(to_right, load_up_to(above + right + c, n), to_left * load_up_to(above + left + c, n));
    const vf bottom = fma(to_right, load_up_to(below + right + c, n), to_left * load_up_to(below + left + c, n));
    store_up_to(y + c, fma(down, bottom, up * top), n);
  }
}

void upsample_bilinear_fwd(const UpsampleBilinearFwd& p) {
  if (p.y.size == 0) return;
  const int64_t channels = p.channels, row_floats = p.width * channels;
  Scratch scratch;
  const ResizeAxis rows(scratch, p.height, p.out_height, p.align_corners), cols(scratch, p.width, p.out_width, p.align_corners);
  parallel_for(p.batch * p.out_height, rows_per_block(p.out_width * channels), [&](int64_t begin, int64_t end) {
    Scratch local;
    float* blended = local.take<float>(row_floats);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t oy = row % p.out_height;
      const float* image = p.x.data + row / p.out_height * p.height * row_floats;
      const float *above = image + rows.low[oy] * row_floats, *below = image + rows.high[oy] * row_floats;
      float* y = p.y.data + row * p.out_width * channels;
      if (channels >= W) {
        for (int64_t ox = 0; ox < p.out_width; ++ox, y += channels)
          blend_pixel(above, below, cols.low[ox] * channels, cols.high[ox] * channels, rows.part[oy], cols.part[ox], channels, y);
        continue;
      }
      // Few channels: whole rows first, in vectors, and then along them.
      const vf down = set1(rows.part[oy]), up = set1(1.f - rows.part[oy]);
      for (int64_t i = 0; i < row_floats; i += W) {
        const int n = int(std::min<int64_t>(W, row_floats - i));
        store_up_to(blended + i, fma(down, load_up_to(below + i, n), up * load_up_to(above + i, n)), n);
      }
      for (int64_t ox = 0; ox < p.out_width; ++ox, y += channels) {
        const float *left = blended + cols.low[ox] * channels, *right = blended + cols.high[ox] * channels;
        const float to_right = cols.part[ox], to_left = 1.f - to_right;
        for (int64_t c = 0; c < channels; ++c) y[c] = to_right * right[c] + to_left * left[c];
      }
    }
  });
}

// Each input pixel gathers from the outputs that looked at it, whole rows first: no two blocks write the same place.
void upsample_bilinear_bwd(const UpsampleBilinearBwd& p) {
  const int64_t channels = p.channels, out_floats = p.out_width * channels;
  if (p.dx.size == 0) return;
  Scratch scratch;
  ResizeAxis rows(scratch, p.height, p.out_height, p.align_corners), cols(scratch, p.width, p.out_width, p.align_corners);
  rows.weigh(scratch, p.height);
  cols.weigh(scratch, p.width);
  const int64_t work = std::max(p.out_height / p.height, int64_t(1)) * out_floats;
  parallel_for(p.batch * p.height, rows_per_block(work), [&](int64_t begin, int64_t end) {
    Scratch local;
    float* gathered = local.take<float>(out_floats);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t iy = row % p.height, first = rows.begin[iy], last = rows.end[iy];
      const float *dy = p.dy.data + (row / p.height * p.out_height + first) * out_floats, *down = rows.weights[iy];
      for (int64_t i = 0; i < out_floats; i += W) {
        const int n = int(std::min<int64_t>(W, out_floats - i));
        vf total = {};
        for (int64_t oy = first; oy < last; ++oy)
          total = fma(set1(down[oy - first]), load_up_to(dy + (oy - first) * out_floats + i, n), total);
        store_up_to(gathered + i, total, n);
      }
      float* dx = p.dx.data + row * p.width * channels;
      for (int64_t ix = 0; ix < p.width; ++ix, dx += channels) {
        const float *across = cols.weights[ix], *from = gathered + cols.begin[ix] * channels;
        for (int64_t c = 0; c < channels; c += W) {
          const int n = int(std::min<int64_t>(W, channels - c));
          vf total = {};
          for (int64_t k = 0; k < cols.end[ix] - cols.begin[ix]; ++k)
            total = fma(set1(across[k]), load_up_to(from + k * channels + c, n), total);
          store_up_to(dx + c, total, n);
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
