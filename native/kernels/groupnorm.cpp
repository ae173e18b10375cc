#include "kernels/groupnorm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/groupnorm.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

// Both directions run twice over strips of pixels: once for sums per channel, kept apart for each strip, and once to apply
// what the strips, combined in their order and in double, say about each group.
inline constexpr int64_t kStripPixels = 128;

struct Strips {
  int64_t per_image, total, grain;
  Strips(int64_t batch, int64_t pixels, int64_t channels)
      : per_image((pixels + kStripPixels - 1) / kStripPixels),
        total(batch * per_image),
        grain(std::max<int64_t>(1, (1 << 15) / (kStripPixels * std::max<int64_t>(1, channels)))) {}
};

// Count, mean and sum of squared deviations of a set of values.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  // Chan, Golub and LeVeque 1979.
  void join(double other_count, double other_mean, double other_squares) {
    if (other_count == 0) return;
    const double all = count + other_count, apart = other_mean - mean;
    squares += other_squares + apart * apart * (count * other_count / all);
    mean += apart * (other_count / all);
    count = all;
  }
};

// Calls visit.operator()<V>(c, n) for blocks of V vectors of channels from c on, the last of them with n lanes. Four vectors read whole
// runs of a pixel's channels; one at a time would pass over memory again for each.
template <class Visit> UAM_INLINE void for_channels(int64_t channels, Visit&& visit) {
  int64_t c = 0;
  for (; c + 4 * W <= channels; c += 4 * W) visit.template operator()<4>(c, W);
  for (; c < channels; c += W) visit.template operator()<1>(c, int(std::min<int64_t>(W, channels - c)));
}

// V vectors, the last of them with n lanes.
template <int V> UAM_INLINE void load_block(const float* from, int n, vf (&to)[V]) {
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) to[v] = V > 1 ? load(from + v * W) : load_up_to(from, n);
}
template <int V> UAM_INLINE void store_block(float* to, int n, const vf (&from)[V]) {
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    if (V > 1) store(to + v * W, from[v]);
    else store_up_to(to, from[v], n);
  }
}

// Per channel: mean and sum of squared deviations over `pixels` rows, summed around the first row so that a large
// common offset costs no digits.
inline void strip_moments(const float* x, int64_t pixels, int64_t channels, float* means, float* squares) {
  const vf share = set1(1.f / float(pixels));
  for_channels(channels, [&]<int V>(int64_t c, int n) {
    vf pivot[V], sum_apart[V] = {}, sum_squares[V] = {};
    load_block(x + c, n, pivot);
    for (int64_t i = 1; i < pixels; ++i) {
      vf apart[V];
      load_block(x + i * channels + c, n, apart);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        apart[v] -= pivot[v];
        sum_apart[v] += apart[v];
        sum_squares[v] = fma(apart[v], apart[v], sum_squares[v]);
      }
    }
    for (int v = 0; v < V; ++v) {
      const vf mean_apart = sum_apart[v] * share;
      sum_squares[v] = fnma(mean_apart, sum_apart[v], sum_squares[v]);
      pivot[v] += mean_apart;
    }
    store_block(means + c, n, pivot);
    store_block(squares + c, n, sum_squares);
  });
}

void groupnorm_fwd(const GroupnormFwd& p) {
  const int64_t channels = p.groups * p.channels;
  const Strips strips(p.batch, p.pixels, channels);
  Scratch scratch;
  float* means = scratch.take<float>(strips.total * channels);  // [strip, channel]
  float* squares = scratch.take<float>(strips.total * channels);
  const auto first_pixel = [&](int64_t strip) { return strip / strips.per_image * p.pixels + strip % strips.per_image * kStripPixels; };
  const auto pixel_count = [&](int64_t strip) { return std::min(kStripPixels, p.pixels - strip % strips.per_image * kStripPixels); };

  parallel_for(strips.total, strips.grain, [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip)
      strip_moments(p.x.data + first_pixel(strip) * channels, pixel_count(strip), channels, means + strip * channels,
                    squares + strip * channels);
  });

  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t group = 0; group < p.groups; ++group) {
      Moments moments;
      for (int64_t strip = n * strips.per_image; strip < (n + 1) * strips.per_image; ++strip)
        for (int64_t c = group * p.channels; c < (group + 1) * p.channels; ++c)
          moments.join(double(pixel_count(strip)), means[strip * channels + c], squares[strip * channels + c]);
      const double variance = moments.count > 0 ? moments.squares / moments.count : 0.0;
      p.mean.data[n * p.groups + group] = float(moments.mean);
      p.rstd.data[n * p.groups + group] = float(1.0 / std::sqrt(variance + p.eps));
    }
  }

  // y = (x - mean) * scale + bias, each per channel
  float* centre = scratch.take<float>(p.batch * channels);
  float* scale = scratch.take<float>(p.batch * channels);
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t group = n * p.groups + c / p.channels;
      centre[n * channels + c] = p.mean.data[group];
      scale[n * channels + c] = p.rstd.data[group] * (p.weight ? p.weight.data[c] : 1.f);
    }
  }
  parallel_for(strips.total, strips.grain, [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      const int64_t n = strip / strips.per_image, pixels = pixel_count(strip), start = first_pixel(strip) * channels;
      for_channels(channels, [&]<int V>(int64_t c, int lanes) {
        vf m[V], s[V], b[V] = {};
        load_block(centre + n * channels + c, lanes, m);
        load_block(scale + n * channels + c, lanes, s);
        if (p.bias) load_block(p.bias.data + c, lanes, b);
        for (int64_t i = 0; i < pixels; ++i) {
          vf x[V];
          load_block(p.x.data + start + i * channels + c, lanes, x);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) x[v] = fma(x[v] - m[v], s[v], b[v]);
          store_block(p.y.data + start + i * channels + c, lanes, x);
        }
      });
    }
  });
}

void groupnorm_bwd(const GroupnormBwd& p) {
  const int64_t channels = p.groups * p.channels;
  const Strips strips(p.batch, p.pixels, channels);
  Scratch scratch;
  float* centre = scratch.take<float>(p.batch * channels);  // mean and rstd of each channel's group
  float* inverse = scratch.take<float>(p.batch * channels);
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      centre[n * channels + c] = p.mean.data[n * p.groups + c / p.channels];
      inverse[n * channels + c] = p.rstd.data[n * p.groups + c / p.channels];
    }
  }
  const auto first_pixel = [&](int64_t strip) { return strip / strips.per_image * p.pixels + strip % strips.per_image * kStripPixels; };
  const auto pixel_count = [&](int64_t strip) { return std::min(kStripPixels, p.pixels - strip % strips.per_image * kStripPixels); };

  float* sum_dy = scratch.take<float>(strips.total * channels);   // [strip, channel] sums of dy
  float* sum_dot = scratch.take<float>(strips.total * channels);  // and of dy * xhat
  parallel_for(strips.total, strips.grain, [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      const int64_t n = strip / strips.per_image, pixels = pixel_count(strip), start = first_pixel(strip) * channels;
      for_channels(channels, [&]<int V>(int64_t c, int lanes) {
        vf m[V], r[V], total[V] = {}, dot[V] = {};
        load_block(centre + n * channels + c, lanes, m);
        load_block(inverse + n * channels + c, lanes, r);
        for (int64_t i = 0; i < pixels; ++i) {
          vf x[V], slope[V];
          load_block(p.x.data + start + i * channels + c, lanes, x);
          load_block(p.dy.data + start + i * channels + c, lanes, slope);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) {
            total[v] += slope[v];
            dot[v] = fma(slope[v], (x[v] - m[v]) * r[v], dot[v]);
          }
        }
        store_block(sum_dy + strip * channels + c, lanes, total);
        store_block(sum_dot + strip * channels + c, lanes, dot);
      });
    }
  });

  double* channel_dy = scratch.take<double>(p.batch * channels);  // [sample, channel]
  double* channel_dot = scratch.take<double>(p.batch * channels);
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      double total = 0, dot = 0;
      for (int64_t strip = n * strips.per_image; strip < (n + 1) * strips.per_image; ++strip)
        total += sum_dy[strip * channels + c], dot += sum_dot[strip * channels + c];
      channel_dy[n * channels + c] = total;
      channel_dot[n * channels + c] = dot;
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    double total = 0, dot = 0;
    for (int64_t n = 0; n < p.batch; ++n) total += channel_dy[n * channels + c], dot += channel_dot[n * channels + c];
    if (p.dbias) p.dbias.data[c] = float(total);
    if (p.dweight) p.dweight.data[c] = float(dot);
  }
  if (!p.dx) return;

  // dx = rstd * weight * dy - (rstd * average(s)) - xhat * (rstd * average(s * xhat))
  float* scale = scratch.take<float>(p.batch * channels);
  float* shift = scratch.take<float>(p.batch * channels);
  float* slope_xhat = scratch.take<float>(p.batch * channels);
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t group = 0; group < p.groups; ++group) {
      double average = 0, average_dot = 0;
      for (int64_t c = group * p.channels; c < (group + 1) * p.channels; ++c) {
        const double weight = p.weight ? p.weight.data[c] : 1.0;
        average += weight * channel_dy[n * channels + c];
        average_dot += weight * channel_dot[n * channels + c];
      }
      const double elements = double(p.pixels) * double(p.channels), rstd = p.rstd.data[n * p.groups + group];
      for (int64_t c = group * p.channels; c < (group + 1) * p.channels; ++c) {
        scale[n * channels + c] = float(rstd * (p.weight ? p.weight.data[c] : 1.0));
        shift[n * channels + c] = float(rstd * average / elements);
        slope_xhat[n * channels + c] = float(rstd * average_dot / elements);
      }
    }
  }
  parallel_for(strips.total, strips.grain, [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      const int64_t n = strip / strips.per_image, pixels = pixel_count(strip), start = first_pixel(strip) * channels;
      for_channels(channels, [&]<int V>(int64_t c, int lanes) {
        vf m[V], r[V], s[V], b[V], k[V];
        load_block(centre + n * channels + c, lanes, m);
        load_block(inverse + n * channels + c, lanes, r);
        load_block(scale + n * channels + c, lanes, s);
        load_block(shift + n * channels + c, lanes, b);
        load_block(slope_xhat + n * channels + c, lanes, k);
        for (int64_t i = 0; i < pixels; ++i) {
          const int64_t at = start + i * channels + c;
          vf x[V], dy[V];
          load_block(p.x.data + at, lanes, x);
          load_block(p.dy.data + at, lanes, dy);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) dy[v] = fma(s[v], dy[v], fnma(k[v], (x[v] - m[v]) * r[v], -b[v]));
          store_block(p.dx.data + at, lanes, dy);
        }
      });
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void groupnorm_fwd(const GroupnormFwd& p) { UAM_BEST(groupnorm_fwd)(p); }
void groupnorm_bwd(const GroupnormBwd& p) { UAM_BEST(groupnorm_bwd)(p); }
}  // namespace uam::cpu
#endif
