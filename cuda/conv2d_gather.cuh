// Convolutions as products: lines or k of an operand are pixels and taps, found by division instead of being copied out.
// All of them gather (conv_geometry.h): target (i, j) takes source pixel (stride i + offset + step t) from tap t, in both directions.
#pragma once
#include "gemm_plan.cuh"

#include "conv_geometry.h"

namespace uam::cuda {

// n / d for 0 <= n < 2^31, without a division.
struct Divisor {
  unsigned d = 1, factor = 1, shift = 0;
  Divisor() = default;
  explicit Divisor(int64_t by) : d(unsigned(std::max<int64_t>(by, 1))) {
    while ((uint64_t(1) << shift) < d) ++shift;
    factor = unsigned(((uint64_t(1) << 32) * ((uint64_t(1) << shift) - d)) / d + 1);
  }
  __device__ int quotient(int n) const { return int((__umulhi(unsigned(n), factor) + unsigned(n)) >> shift); }
  // n becomes the remainder
  __device__ int take(int& n) const {
    const int q = quotient(n);
    n -= q * int(d);
    return q;
  }
};

// One direction of a gather, in numbers of 32 bits (check_reach).
struct GatherAxis {
  int stride, offset, step, length;  // length: of the source
  Divisor by_count, by_taps;
  GatherAxis(const Axis& axis, int64_t source)
      : stride(int(axis.stride)),
        offset(int(axis.offset)),
        step(int(axis.offset_step)),
        length(int(source)),
        by_count(axis.count),
        by_taps(axis.taps) {}
};

struct Gather {
  const float* source;  // [batch, height, width, groups, channels]
  int64_t pitch;        // floats from pixel to pixel
  int channels;         // of one group
  GatherAxis rows, cols;
  Divisor by_channels;
  bool vector;  // four channels at a time

  Gather(const float* source, int64_t groups, int64_t channels, const Axis& rows, const Axis& cols, int64_t height, int64_t width)
      : source(source),
        pitch(groups * channels),
        channels(int(channels)),
        rows(rows, height),
        cols(cols, width),
        by_channels(channels),
        vector(on_16_bytes(source) && channels % 4 == 0) {}

  // Where a target's taps begin.
  struct Place {
    int image, y, x;  // image: its first pixel
  };
  __device__ Place place(int target) const {
    int row = cols.by_count.take(target);  // target is the column now
    const int n = rows.by_count.take(row);
    return {n * rows.length * cols.length, rows.stride * row + rows.offset, cols.stride * target + cols.offset};
  }
  struct Tap {
    int y, x, channel;
  };
  __device__ Tap tap(int k) const {
    int t = by_channels.take(k), y = cols.by_taps.take(t);
    return {y * rows.step, t * cols.step, k};
  }
  // The address of a tap of a place, or null outside the source.
  __device__ const float* at(const Place& place, const Tap& tap, int64_t group) const {
    const int y = place.y + tap.y, x = place.x + tap.x;
    if (unsigned(y) >= unsigned(rows.length) || unsigned(x) >= unsigned(cols.length)) return nullptr;
    return source + (int64_t(place.image) + y * cols.length + x) * pitch + group * channels + tap.channel;
  }
};

__device__ __forceinline__ float4 four_at(const float* at) {
  return at ? *reinterpret_cast<const float4*>(at) : make_float4(0.f, 0.f, 0.f, 0.f);
}
__device__ __forceinline__ void set_part(float4& v, int part, const float* at) {
  const float value = at ? *at : 0.f;
  if (part == 0) v.x = value;
  else if (part == 1) v.y = value;
  else if (part == 2) v.z = value;
  else v.w = value;
}

// Lines are targets, k runs over taps and their channels.
struct TargetsSource {
  const Gather& gather;
  int64_t group;
  int first, lines;  // the tile's first target, and how many exist from there on
  int first_k, count;

  template <class P> struct Reader {
    const Gather& gather;
    int64_t group;
    Gather::Place places[P::units];
    int k, last;
    static constexpr bool along_k = true;

    __device__ void load(float4 (&v)[P::units]) {
      if (P::whole || gather.vector) {
        const Gather::Tap tap = gather.tap(k);
#pragma unroll
        for (int u = 0; u < P::units; ++u) v[u] = four_at(k < last ? gather.at(places[u], tap, group) : nullptr);
      } else {
#pragma unroll
        for (int part = 0; part < 4; ++part) {
          const Gather::Tap tap = gather.tap(k + part);
#pragma unroll
          for (int u = 0; u < P::units; ++u) set_part(v[u], part, k + part < last ? gather.at(places[u], tap, group) : nullptr);
        }
      }
      k += P::depth;
    }
  };
  template <class P> __device__ Reader<P> reader() const {
    Reader<P> reader{gather, group, {}, first_k + P::k(), first_k + count};
#pragma unroll
    for (int u = 0; u < P::units; ++u) {
      if (P::line(u) < lines) reader.places[u] = gather.place(first + P::line(u));
      else reader.places[u] = {0, -(1 << 30), 0};  // outside, whatever the tap
    }
    return reader;
  }
};

// The same factors with lines and k exchanged, for the gradient of the weight: lines are taps and their channels, k runs over targets.
struct TapsSource {
  const Gather& gather;
  int64_t group;
  int first, lines;
  int first_k, count;

  template <class P> struct Reader {
    const Gather& gather;
    int64_t group;
    int line, lines, k, last;
    static constexpr bool along_k = false;

    __device__ void load(float4 (&v)[P::units]) {
      Gather::Tap tap = gather.tap(line);
#pragma unroll
      for (int u = 0; u < P::units; ++u) {
        const int target = k + P::k_of(u);
        const bool exists = target < last && lines > 0;
        const Gather::Place place = gather.place(exists ? target : 0);
        if (P::whole || gather.vector) {
          v[u] = four_at(exists ? gather.at(place, tap, group) : nullptr);
        } else {
#pragma unroll
          for (int part = 0; part < 4; ++part)
            set_part(v[u], part, exists && part < lines ? gather.at(place, gather.tap(line + part), group) : nullptr);
        }
      }
      k += P::depth;
    }
  };
  template <class P> __device__ Reader<P> reader() const {
    return {gather, group, first + P::first_line(), lines - P::first_line(), first_k + P::k(0), first_k + count};
  }
};

// Weights seen from the image: lines are its channels, k runs over the taps of a phase and the grid's channels.
struct PhaseWeights {
  const float* data;  // [groups, grid_channels, kernel_height, kernel_width, image_channels]
  int grid_channels, image_channels, kernel_height, kernel_width;
  int tap_y, tap_y_step, tap_x, tap_x_step;  // of the kernel, for the phase's first tap and the next
  Divisor by_channels, by_taps;
  bool vector;
};
struct PhaseWeightsSource {
  const PhaseWeights& weights;
  int64_t group;
  int first, lines, first_k, count;

  template <class P> struct Reader {
    const PhaseWeights& weights;
    int64_t group;
    int line, lines, k, last;
    static constexpr bool along_k = false;

    __device__ void load(float4 (&v)[P::units]) {
      const PhaseWeights& w = weights;
#pragma unroll
      for (int u = 0; u < P::units; ++u) {
        int o = k + P::k_of(u);
        const bool exists = o < last;
        int x = w.by_channels.take(o);
        const int y = w.by_taps.take(x);
        const int64_t kernel = (group * w.grid_channels + o) * w.kernel_height + w.tap_y + y * w.tap_y_step;
        const float* at = w.data + (kernel * w.kernel_width + w.tap_x + x * w.tap_x_step) * w.image_channels + line;
        v[u] = load_four(at, exists ? lines : 0, P::whole || w.vector);
      }
      k += P::depth;
    }
  };
  template <class P> __device__ Reader<P> reader() const {
    return {weights, group, first + P::first_line(), lines - P::first_line(), first_k + P::k(0), first_k + count};
  }
};

// Every tap of the kernel, gathered from the image onto the grid.
inline Gather grid_gather(const ConvGeometry& g, const float* image) {
  const Axis rows{0, 1, g.grid_height, g.stride_y, -g.padding_y, g.dilation_y, g.kernel_height, 0, 1};
  const Axis cols{0, 1, g.grid_width, g.stride_x, -g.padding_x, g.dilation_x, g.kernel_width, 0, 1};
  return Gather(image, g.groups, g.image_channels, rows, cols, g.image_height, g.image_width);
}

// Refuses what cannot be counted in 32 bits: pixels, and taps with their channels.
void check_reach(const ConvGeometry& g);

// conv2d reads the image and writes the grid, conv_transpose2d the opposite; the gradient of either is the other. bias may be null.
void image_to_grid(Call& call, const ConvGeometry& g, const float* image, const float* weight, const float* bias, float* grid);
void grid_to_image(Call& call, const ConvGeometry& g, const float* grid, const float* weight, const float* bias, float* image);
void conv_weight_gradient(Call& call, const ConvGeometry& g, const float* image, const float* grid, float* dweight);

}  // namespace uam::cuda
