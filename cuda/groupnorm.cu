#include "kernels/groupnorm.h"

#include "column_totals.cuh"
#include "strided.cuh"

namespace uam::cuda {

namespace {

constexpr int kThreads = 256;

// As on the CPU, both directions run twice over the pixels: once for sums per channel, kept apart for each strip of pixels, and once
// to apply what the strips, combined in doubles, say about each group. A block takes a strip and up to 64 quads of channels: its
// threads stand side by side along the channels, and in lanes along the pixels.
struct Strips {
  int64_t pixels, channels, strip, per_image, tiles;
  int across, lanes;  // threads

  Strips(int64_t pixels, int64_t channels) : pixels(pixels), channels(channels) {
    const int64_t quads = std::max<int64_t>(quads_of(channels), 1);
    across = int(std::min<int64_t>(quads, 64));
    lanes = kThreads / across;
    tiles = ceil_div<int64_t>(quads, across);
    strip = int64_t(lanes) * 16;
    per_image = ceil_div(pixels, strip);
  }
  Grid grid(int64_t batch) const { return {unsigned(batch * per_image * tiles), kThreads}; }

  UAM_HD int64_t count(int64_t strip_of_image) const {
    const int64_t left = pixels - strip_of_image * strip;
    return left < strip ? left : strip;
  }
};

// The strip and the channels of this thread.
struct Stand {
  int64_t strip, sample, first_pixel, pixels, channel;  // strip and first_pixel count through all samples
  int lane;
  bool there;
  __device__ explicit Stand(const Strips& s) {
    strip = blockIdx.x / s.tiles;
    sample = strip / s.per_image;
    const int64_t of_image = strip - sample * s.per_image;
    first_pixel = sample * s.pixels + of_image * s.strip;
    pixels = s.count(of_image);
    lane = int(threadIdx.x) / s.across;
    channel = ((blockIdx.x - strip * s.tiles) * s.across + int(threadIdx.x) % s.across) * 4;
    there = lane < s.lanes && channel < s.channels;
  }
};

// Sums over the lanes; lane 0 gets the result. Every thread of the block comes here.
__device__ Quad sum_lanes(const Strips& s, Quad own) {
  UAM_SHARED(float4, sums, [kThreads]);
  const int t = int(threadIdx.x), lane = t / s.across;
  __syncthreads();  // the call before may still be read
  sums[t] = make_float4(own.v[0], own.v[1], own.v[2], own.v[3]);
  for (int left = s.lanes; left > 1; left = (left + 1) / 2) {
    const int half = (left + 1) / 2;
    __syncthreads();
    if (lane + half < left) {
      const float4 a = sums[t], b = sums[t + half * s.across];
      sums[t] = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
    }
  }
  const float4 total = sums[t];
  return {{total.x, total.y, total.z, total.w}};
}

// Count, mean and sum of squared deviations of a set of values, joined as Chan, Golub and LeVeque 1979 do.
struct Moments {
  double count, mean, squares;
  __device__ void join(const Moments& other) {
    if (other.count == 0) return;
    const double all = count + other.count, apart = other.mean - mean;
    squares += other.squares + apart * apart * (count * other.count / all);
    mean += apart * (other.count / all);
    count = all;
  }
};

// What is done to every element, channel by channel: [batch, channels] each.
struct Tables {
  float *centre, *scale, *shift, *slope;
};

}  // namespace

// means and squares: [strips, channels], each around the first pixel of the strip, so that a large common offset costs no digits.
template <bool kAligned> __global__ void strip_moments_kernel(Strips strips, const float* x, float* means, float* squares) {
  const Stand stand(strips);
  const int64_t left = strips.channels - stand.channel;
  const float* from = x + stand.first_pixel * strips.channels + stand.channel;
  Quad pivot, apart, square;
  if (stand.there) {
    pivot = load_quad<kAligned>(from, left);
    for (int64_t i = stand.lane; i < stand.pixels; i += strips.lanes) {
      const Quad v = load_quad<kAligned>(from + i * strips.channels, left);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const float d = v.v[k] - pivot.v[k];
        apart.v[k] += d;
        square.v[k] = fmaf(d, d, square.v[k]);
      }
    }
  }
  apart = sum_lanes(strips, apart);
  square = sum_lanes(strips, square);
  if (!stand.there || stand.lane != 0) return;
  const float share = 1.f / float(stand.pixels);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const float mean_apart = apart.v[k] * share;
    square.v[k] = fmaf(-mean_apart, apart.v[k], square.v[k]);
    pivot.v[k] += mean_apart;
  }
  store_quad<kAligned>(means + stand.strip * strips.channels + stand.channel, pivot, left);
  store_quad<kAligned>(squares + stand.strip * strips.channels + stand.channel, square, left);
}

// A block per group of a sample.
__global__ void group_moments_kernel(Strips strips, int64_t groups, int64_t channels, double eps, const float* means, const float* squares,
                                     const float* weight, float* mean, float* rstd, Tables tables) {
  UAM_SHARED(Moments, joined, [kThreads]);
  const int64_t sample = blockIdx.x / groups, first = (blockIdx.x - sample * groups) * channels;
  Moments own{0, 0, 0};
  for (int64_t i = threadIdx.x; i < strips.per_image * channels; i += kThreads) {
    const int64_t strip = i / channels, at = (sample * strips.per_image + strip) * strips.channels + first + i - strip * channels;
    own.join({double(strips.count(strip)), double(means[at]), double(squares[at])});
  }
  joined[threadIdx.x] = own;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (int(threadIdx.x) < half) joined[threadIdx.x].join(joined[threadIdx.x + half]);
  }
  __syncthreads();
  const Moments all = joined[0];
  const double variance = all.count > 0 ? all.squares / all.count : 0;
  const float centre = float(all.mean), scale = float(1 / sqrt(variance + eps));
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = centre;
    rstd[blockIdx.x] = scale;
  }
  for (int64_t c = first + threadIdx.x; c < first + channels; c += kThreads) {
    tables.centre[sample * strips.channels + c] = centre;
    tables.scale[sample * strips.channels + c] = weight ? scale * weight[c] : scale;
  }
}

// Quads of channels of pixels: thread -> element, sample, channel.
struct PixelQuads {
  int64_t quads, channels, pixels;
  Divisor by_channels, by_pixels;
  PixelQuads(int64_t batch, int64_t pixels, int64_t channels)
      : quads(batch * pixels * quads_of(channels)),
        channels(channels),
        pixels(pixels),
        by_channels(std::max<int64_t>(quads_of(channels), 1), quads),
        by_pixels(std::max<int64_t>(pixels, 1), quads) {}
  // visit(element, place in a table, how many channels are left)
  template <class Visit> __device__ __forceinline__ void each(Visit&& visit) const {
    for (int64_t q = first_element(); q < quads; q += element_step()) {
      const int64_t pixel = by_channels.quotient(q), channel = (q - pixel * by_channels.divisor()) * 4;
      visit(pixel * channels + channel, by_pixels.quotient(pixel) * channels + channel, channel);
    }
  }
};

template <bool kAligned> __global__ void groupnorm_fwd_kernel(PixelQuads all, Tables tables, const float* x, const float* bias, float* y) {
  all.each([&](int64_t at, int64_t entry, int64_t channel) {
    const int64_t left = all.channels - channel;
    const Quad m = load_quad<kAligned>(tables.centre + entry, left), s = load_quad<kAligned>(tables.scale + entry, left);
    Quad v = load_quad<kAligned>(x + at, left), b;
    if (bias) b = load_quad<kAligned>(bias + channel, left);
#pragma unroll
    for (int k = 0; k < 4; ++k) v.v[k] = fmaf(v.v[k] - m.v[k], s.v[k], b.v[k]);
    store_quad<kAligned>(y + at, v, left);
  });
}

void groupnorm_fwd(const GroupnormFwd& p) {
  Call call;
  const float *x = call.in(p.x), *weight = call.in(p.weight), *bias = call.in(p.bias);
  float *y = call.out(p.y), *mean = call.out(p.mean), *rstd = call.out(p.rstd);
  const int64_t channels = p.groups * p.channels;
  const Strips strips(p.pixels, channels);
  const int64_t sums = p.batch * strips.per_image * channels, entries = p.batch * channels;
  float *means = call.scratch<float>(sums), *squares = call.scratch<float>(sums);
  const Tables tables{call.scratch<float>(entries), call.scratch<float>(entries), nullptr, nullptr};
  const bool aligned = channels % 4 == 0 && on_16_bytes(x, bias, y);
  call.launch(strips.grid(p.batch), aligned ? strip_moments_kernel<true> : strip_moments_kernel<false>, strips, x, means, squares);
  call.launch({unsigned(p.batch * p.groups), kThreads}, group_moments_kernel, strips, p.groups, p.channels, p.eps, means, squares, weight,
              mean, rstd, tables);
  const PixelQuads all(p.batch, p.pixels, channels);
  call.launch_elements(all.quads, aligned ? groupnorm_fwd_kernel<true> : groupnorm_fwd_kernel<false>, all, tables, x, bias, y);
  call.finish();
}

// sum_dy and sum_dot: [strips, channels], of dy and of dy * xhat.
template <bool kAligned> __global__ void strip_slopes_kernel(Strips strips, int64_t groups, Divisor by_group, const float* x,
                                                             const float* dy, const float* mean, const float* rstd, float* sum_dy,
                                                             float* sum_dot) {
  const Stand stand(strips);
  const int64_t left = strips.channels - stand.channel, first = stand.first_pixel * strips.channels + stand.channel;
  Quad total, dot, centre, scale;
  if (stand.there) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (k >= left) break;
      const int64_t group = stand.sample * groups + by_group.quotient(stand.channel + k);
      centre.v[k] = mean[group];
      scale.v[k] = rstd[group];
    }
    for (int64_t i = stand.lane; i < stand.pixels; i += strips.lanes) {
      const Quad v = load_quad<kAligned>(x + first + i * strips.channels, left);
      const Quad slope = load_quad<kAligned>(dy + first + i * strips.channels, left);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        total.v[k] += slope.v[k];
        dot.v[k] = fmaf(slope.v[k], (v.v[k] - centre.v[k]) * scale.v[k], dot.v[k]);
      }
    }
  }
  total = sum_lanes(strips, total);
  dot = sum_lanes(strips, dot);
  if (!stand.there || stand.lane != 0) return;
  store_quad<kAligned>(sum_dy + stand.strip * strips.channels + stand.channel, total, left);
  store_quad<kAligned>(sum_dot + stand.strip * strips.channels + stand.channel, dot, left);
}

// A warp per group of a sample: dx = scale dy - slope (x - centre) - shift.
__global__ void group_slopes_kernel(int64_t in_all, int64_t groups, int64_t channels, int64_t pixels, const double* channel_dy,
                                    const double* channel_dot, const float* weight, const float* mean, const float* rstd, Tables tables) {
  const int lane = int(threadIdx.x) % 32;
  for (int64_t g = first_element() / 32; g < in_all; g += element_step() / 32) {
    const int64_t sample = g / groups, first = (g - sample * groups) * channels, row = sample * groups * channels;
    double average = 0, average_dot = 0;
    for (int64_t c = first + lane; c < first + channels; c += 32) {
      const double w = weight ? double(weight[c]) : 1;
      average = fma(w, channel_dy[row + c], average);
      average_dot = fma(w, channel_dot[row + c], average_dot);
    }
    average = warp_sum(average);
    average_dot = warp_sum(average_dot);
    const double elements = double(pixels) * double(channels), scale = double(rstd[g]);
    for (int64_t c = first + lane; c < first + channels; c += 32) {
      tables.centre[row + c] = mean[g];
      tables.scale[row + c] = float(scale * (weight ? double(weight[c]) : 1));
      tables.shift[row + c] = float(scale * average / elements);
      tables.slope[row + c] = float(scale * scale * average_dot / elements);
    }
  }
}

__global__ void weight_slopes_kernel(int64_t batch, int64_t channels, const double* channel_dy, const double* channel_dot, float* d_weight,
                                     float* d_bias) {
  for (int64_t c = first_element(); c < channels; c += element_step()) {
    double total = 0, dot = 0;
    for (int64_t n = 0; n < batch; ++n) {
      total += channel_dy[n * channels + c];
      dot += channel_dot[n * channels + c];
    }
    if (d_bias) d_bias[c] = float(total);
    if (d_weight) d_weight[c] = float(dot);
  }
}

template <bool kAligned> __global__ void groupnorm_bwd_kernel(PixelQuads all, Tables tables, const float* x, const float* dy, float* dx) {
  all.each([&](int64_t at, int64_t entry, int64_t channel) {
    const int64_t left = all.channels - channel;
    const Quad m = load_quad<kAligned>(tables.centre + entry, left), s = load_quad<kAligned>(tables.scale + entry, left);
    const Quad b = load_quad<kAligned>(tables.shift + entry, left), r = load_quad<kAligned>(tables.slope + entry, left);
    const Quad v = load_quad<kAligned>(x + at, left);
    Quad g = load_quad<kAligned>(dy + at, left);
#pragma unroll
    for (int k = 0; k < 4; ++k) g.v[k] = fmaf(s.v[k], g.v[k], fmaf(-r.v[k], v.v[k] - m.v[k], -b.v[k]));
    store_quad<kAligned>(dx + at, g, left);
  });
}

void groupnorm_bwd(const GroupnormBwd& p) {
  Call call;
  const float *x = call.in(p.x), *dy = call.in(p.dy), *mean = call.in(p.mean), *rstd = call.in(p.rstd), *weight = call.in(p.weight);
  float *dx = call.out(p.dx), *d_weight = call.out(p.dweight), *d_bias = call.out(p.dbias);
  const int64_t channels = p.groups * p.channels, entries = p.batch * channels;
  const Strips strips(p.pixels, channels);
  const int64_t sums = p.batch * strips.per_image * channels;
  float *sum_dy = call.scratch<float>(sums), *sum_dot = call.scratch<float>(sums);
  const bool aligned = channels % 4 == 0 && on_16_bytes(x, dy, dx);
  call.launch(strips.grid(p.batch), aligned ? strip_slopes_kernel<true> : strip_slopes_kernel<false>, strips, p.groups,
              Divisor(std::max<int64_t>(p.channels, 1), channels), x, dy, mean, rstd, sum_dy, sum_dot);
  double *channel_dy = call.scratch<double>(entries), *channel_dot = call.scratch<double>(entries);
  column_totals(call, p.batch, strips.per_image, channels, channels, sum_dy, channel_dy);
  column_totals(call, p.batch, strips.per_image, channels, channels, sum_dot, channel_dot);
  if (d_weight || d_bias)
    call.launch_elements(channels, weight_slopes_kernel, p.batch, channels, channel_dy, channel_dot, d_weight, d_bias);
  if (dx) {
    const Tables tables{call.scratch<float>(entries), call.scratch<float>(entries), call.scratch<float>(entries),
                        call.scratch<float>(entries)};
    call.launch_elements(p.batch * p.groups * 32, group_slopes_kernel, p.batch * p.groups, p.groups, p.channels, p.pixels, channel_dy,
                         channel_dot, weight, mean, rstd, tables);
    const PixelQuads all(p.batch, p.pixels, channels);
    call.launch_elements(all.quads, aligned ? groupnorm_bwd_kernel<true> : groupnorm_bwd_kernel<false>, all, tables, x, dy, dx);
  }
  call.finish();
}

}  // namespace uam::cuda
