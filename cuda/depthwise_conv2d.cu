#include "kernels/depthwise_conv2d.h"

#include "bias_activation_sums.cuh"

#include "conv2d_gather.cuh"

namespace uam::cuda {

namespace {

// A block is 32 neighbouring channels (a line of memory) by 8 targets at a time.
constexpr int kChannels = 32, kLanes = 8, kTargetsOfThread = 8;
constexpr int64_t kMostWeights = 12 * 1024;  // floats in shared memory

struct Depthwise {
  Gather gather;
  const float *weight, *bias;
  float* out;
  int channels, targets, taps_y, taps_x;
  int tap, tap_y_step, tap_x_step, kernel;  // of a channel's weights: the first tap's, and the next ones'; all of them
  bool shared_weights;
  // targets in the output
  bool all;
  int first_y, step_y, first_x, step_x, height, width;
};

__device__ int64_t pixel_of(const Depthwise& p, int target) {
  if (p.all) return target;
  int row = p.gather.cols.by_count.take(target);  // target is the column now
  const int n = p.gather.rows.by_count.take(row);
  return (int64_t(n) * p.height + p.first_y + p.step_y * row) * p.width + p.first_x + p.step_x * target;
}

__global__ __launch_bounds__(kChannels* kLanes) void depthwise_kernel(Depthwise p) {
  float* weights = dynamic_shared<float>();  // [taps, kChannels]
  const int blocks_across = ceil_div(p.channels, kChannels), first = int(blockIdx.x % unsigned(blocks_across)) * kChannels;
  const int channel = first + int(threadIdx.x), taps = p.taps_y * p.taps_x;
  const float* own = p.weight + int64_t(channel) * p.kernel + p.tap;
  if (p.shared_weights) {
    if (channel < p.channels)
      for (int tap = int(threadIdx.y); tap < taps; tap += kLanes)
        weights[tap * kChannels + int(threadIdx.x)] = own[tap / p.taps_x * p.tap_y_step + tap % p.taps_x * p.tap_x_step];
    __syncthreads();
  }
  if (channel >= p.channels) return;
  const float start = p.bias ? p.bias[channel] : 0.f;
  const int begin = int(blockIdx.x / unsigned(blocks_across)) * kLanes * kTargetsOfThread + int(threadIdx.y);
  for (int i = 0; i < kTargetsOfThread; ++i) {
    const int target = begin + i * kLanes;
    if (target >= p.targets) return;
    const Gather::Place place = p.gather.place(target);
    float sum = start;
    for (int ty = 0; ty < p.taps_y; ++ty) {
      for (int tx = 0; tx < p.taps_x; ++tx) {
        const float* x = p.gather.at(place, {ty * p.gather.rows.step, tx * p.gather.cols.step, 0}, channel);
        const float w =
            p.shared_weights ? weights[(ty * p.taps_x + tx) * kChannels + int(threadIdx.x)] : own[ty * p.tap_y_step + tx * p.tap_x_step];
        if (x) sum = fmaf(*x, w, sum);
      }
    }
    p.out[pixel_of(p, target) * p.channels + channel] = sum;
  }
}

void launch_depthwise(Call& call, Depthwise p) {
  if (p.targets == 0 || p.channels == 0) return;
  const int64_t weights = int64_t(p.taps_y) * p.taps_x * kChannels;
  p.shared_weights = weights <= kMostWeights;
  const int64_t blocks = ceil_div<int64_t>(p.channels, kChannels) * ceil_div<int64_t>(p.targets, kLanes * kTargetsOfThread);
  call.launch({unsigned(blocks), {kChannels, kLanes}, p.shared_weights ? size_t(weights) * sizeof(float) : 0}, depthwise_kernel, p);
}

// partial[strip, channel, tap] = the sum over the strip's grid pixels of dy x, for kTaps taps of a block at a time.
constexpr int kTaps = 4;

struct DepthwiseGradient {
  Gather gather;
  const float* dy;
  float* partial;
  int channels, pixels, strip, taps, blocks_across, tap_groups;
};

__global__ __launch_bounds__(kChannels* kLanes) void depthwise_gradient_kernel(DepthwiseGradient p) {
  UAM_SHARED(float, sums_of, [kLanes][kTaps][kChannels]);
  unsigned block = blockIdx.x;
  const int channel = int(block % unsigned(p.blocks_across)) * kChannels + int(threadIdx.x);
  block /= unsigned(p.blocks_across);
  const int first_tap = int(block % unsigned(p.tap_groups)) * kTaps, strip = int(block / unsigned(p.tap_groups));
  const int end = min((strip + 1) * p.strip, p.pixels);
  float sums[kTaps] = {};
  if (channel < p.channels) {
    for (int pixel = strip * p.strip + int(threadIdx.y); pixel < end; pixel += kLanes) {
      const Gather::Place place = p.gather.place(pixel);
      const float slope = p.dy[int64_t(pixel) * p.channels + channel];
#pragma unroll
      for (int t = 0; t < kTaps; ++t) {
        const float* x = first_tap + t < p.taps ? p.gather.at(place, p.gather.tap(first_tap + t), channel) : nullptr;
        if (x) sums[t] = fmaf(*x, slope, sums[t]);
      }
    }
  }
#pragma unroll
  for (int t = 0; t < kTaps; ++t) sums_of[threadIdx.y][t][threadIdx.x] = sums[t];
  __syncthreads();
  const int t = int(threadIdx.y);
  if (t >= kTaps || first_tap + t >= p.taps || channel >= p.channels) return;
  float sum = 0.f;
  for (int lane = 0; lane < kLanes; ++lane) sum += sums_of[lane][t][threadIdx.x];
  p.partial[(int64_t(strip) * p.channels + channel) * p.taps + first_tap + t] = sum;
}

// The geometry's channels belong to `groups`; anything else would make the kernels leave the arrays.
void check_depthwise(const ConvGeometry& g) {
  check_reach(g);
  if (g.image_channels != 1 || g.grid_channels != 1)
    throw KernelError("UAM_ARGUMENT", "depthwise convolution: imageChannels and gridChannels must be 1");
}

}  // namespace

void depthwise_conv2d_fwd(const DepthwiseConv2dFwd& p) {
  const ConvGeometry& g = p.geometry;
  check_depthwise(g);
  Call call;
  Depthwise q{grid_gather(g, call.in(p.x)), call.in(p.weight), call.in(p.bias), call.out(p.y)};
  q.channels = int(g.groups), q.targets = int(g.batch * g.grid_height * g.grid_width);
  q.taps_y = int(g.kernel_height), q.taps_x = int(g.kernel_width), q.kernel = q.taps_y * q.taps_x;
  q.tap = 0, q.tap_y_step = q.taps_x, q.tap_x_step = 1;
  q.all = true;
  launch_depthwise(call, q);
  call.finish();
}

void depthwise_conv2d_bwd_input(const DepthwiseConv2dBwdInput& p) {
  const ConvGeometry& g = p.geometry;
  check_depthwise(g);
  Call call;
  const float *dy = call.in(p.dy), *weight = call.in(p.weight);
  float* dx = call.out(p.dx);
  for (int64_t y = 0; y < std::min(g.stride_y, g.image_height); ++y) {
    for (int64_t x = 0; x < std::min(g.stride_x, g.image_width); ++x) {
      const Axis rows = image_rows(g, y), cols = image_cols(g, x);
      Depthwise q{Gather(dy, g.groups, 1, rows, cols, g.grid_height, g.grid_width), weight, nullptr, dx};
      q.channels = int(g.groups), q.targets = int(g.batch * rows.count * cols.count);
      q.taps_y = int(rows.taps), q.taps_x = int(cols.taps), q.kernel = int(g.kernel_height * g.kernel_width);
      q.tap = int(rows.tap * g.kernel_width + cols.tap);
      q.tap_y_step = int(rows.tap_step * g.kernel_width), q.tap_x_step = int(cols.tap_step);
      q.all = g.stride_y == 1 && g.stride_x == 1;
      q.first_y = int(rows.first), q.step_y = int(rows.step), q.first_x = int(cols.first), q.step_x = int(cols.step);
      q.height = int(g.image_height), q.width = int(g.image_width);
      launch_depthwise(call, q);
    }
  }
  call.finish();
}

void depthwise_conv2d_bwd_weight(const DepthwiseConv2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  check_depthwise(g);
  Call call;
  const float *x = call.in(p.x), *dy = call.in(p.dy);
  float *dweight = call.out(p.dweight), *dbias = call.out(p.dbias);
  const int64_t pixels = g.batch * g.grid_height * g.grid_width, taps = g.kernel_height * g.kernel_width, count = g.groups * taps;
  if (dweight && count > 0) {
    const int64_t strip = std::max<int64_t>(256, ceil_div<int64_t>(pixels, 256)), strips = std::max<int64_t>(ceil_div(pixels, strip), 1);
    const int64_t across = ceil_div<int64_t>(g.groups, kChannels), tap_groups = ceil_div<int64_t>(taps, kTaps);
    if (across * tap_groups * strips > INT32_MAX) throw KernelError("UAM_ARGUMENT", "the kernel is too large for the card");
    float* partial = call.scratch<float>(strips * count);
    const DepthwiseGradient q{grid_gather(g, x), dy,        partial,     int(g.groups),  int(pixels),
                              int(strip),        int(taps), int(across), int(tap_groups)};
    call.launch({unsigned(across * tap_groups * strips), {kChannels, kLanes}}, depthwise_gradient_kernel, q);
    call.launch_elements(count, sum_parts_kernel, static_cast<const float*>(partial), strips, count, int64_t(1), Finish{}, dweight,
                         static_cast<float*>(nullptr));
  }
  if (dbias) channel_sums(call, dy, pixels, g.groups, dbias);
  call.finish();
}

}  // namespace uam::cuda
