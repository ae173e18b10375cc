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

// Per channel: mean and sum of squared deviations over `pixels` rows, summed around the first row so that a large
// common offset costs no digits.
inline void strip_moments(const float* x, int64_t pixels, int64_t channels, float* means, float* squares) {
  const vf share = set1(1.f / float(pixels));
  for (int64_t c = 0; c < channels; c += W) {
    const int n = int(std::min<int64_t>(W, channels - c));
    const vf pivot = load_n(x + c, n);
    vf sum_apart = {}, sum_squares = {};
    for (int64_t i = 1; i < pixels; ++i) {
      const float* at = x + i * channels + c;
      const vf apart = (n == W ? load(at) : load_n(at, n)) - pivot;
      sum_apart += apart;
      sum_squares = fma(apart, apart, sum_squares);
    }
    const vf mean_apart = sum_apart * share;
    store_n(means + c, pivot + mean_apart, n);
    store_n(squares + c, fnma(mean_apart, sum_apart, sum_squares), n);
  }
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
      for (int64_t c = 0; c < channels; c += W) {
        const int lanes = int(std::min<int64_t>(W, channels - c));
        const vf m = load_n(centre + n * channels + c, lanes), s = load_n(scale + n * channels + c, lanes);
        const vf b = p.bias ? load_n(p.bias.data + c, lanes) : vf{};
        const float* x = p.x.data + start + c;
        float* y = p.y.data + start + c;
        if (lanes == W) {
          for (int64_t i = 0; i < pixels; ++i) store(y + i * channels, fma(load(x + i * channels) - m, s, b));
        } else {
          for (int64_t i = 0; i < pixels; ++i) store_n(y + i * channels, fma(load_n(x + i * channels, lanes) - m, s, b), lanes);
        }
      }
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
      for (int64_t c = 0; c < channels; c += W) {
        const int lanes = int(std::min<int64_t>(W, channels - c));
        const vf m = load_n(centre + n * channels + c, lanes), r = load_n(inverse + n * channels + c, lanes);
        vf total = {}, dot = {};
        for (int64_t i = 0; i < pixels; ++i) {
          const float *x = p.x.data + start + i * channels + c, *dy = p.dy.data + start + i * channels + c;
          const vf slope = lanes == W ? load(dy) : load_n(dy, lanes), xhat = ((lanes == W ? load(x) : load_n(x, lanes)) - m) * r;
          total += slope;
          dot = fma(slope, xhat, dot);
        }
        store_n(sum_dy + strip * channels + c, total, lanes);
        store_n(sum_dot + strip * channels + c, dot, lanes);
      }
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
      for (int64_t c = 0; c < channels; c += W) {
        const int lanes = int(std::min<int64_t>(W, channels - c));
        const vf m = load_n(centre + n * channels + c, lanes), r = load_n(inverse + n * channels + c, lanes);
        const vf s = load_n(scale + n * channels + c, lanes), b = load_n(shift + n * channels + c, lanes);
        const vf k = load_n(slope_xhat + n * channels + c, lanes);
        for (int64_t i = 0; i < pixels; ++i) {
          const int64_t at = start + i * channels + c;
          const vf xhat = ((lanes == W ? load(p.x.data + at) : load_n(p.x.data + at, lanes)) - m) * r;
          const vf dy = lanes == W ? load(p.dy.data + at) : load_n(p.dy.data + at, lanes);
          const vf dx = fma(s, dy, fnma(k, xhat, -b));
          if (lanes == W) store(p.dx.data + at, dx);
          else store_n(p.dx.data + at, dx, lanes);
        }
      }
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
