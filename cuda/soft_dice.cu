#include "kernels/soft_dice.h"

#include "call.cuh"
#include "row_group.cuh"

namespace uam::cuda {

// Blocks are runs of one sample's pixels, so that their sums serve groups per sample and groups of the whole batch alike.
struct DicePixels {
  DiceActivation activation;
  bool per_sample, squared;
  float smooth, eps;
  int64_t samples, pixels, channels, groups;
  const float *x, *target;
};

template <int kLanes> UAM_HD inline int64_t blocks_per_sample(int64_t pixels) { return ceil_div(pixels, rows_per_block<kLanes>()); }

__device__ inline float dice_sigmoid(float x) {
  const float e = expf(-fabsf(x)), large = 1.f / (1.f + e);
  return x < 0.f ? e * large : large;
}

// A warp per pixel with more channels than a block's threads keep: what their softmax needs.
__global__ void __launch_bounds__(kRowThreads) wide_softmax_kernel(int64_t rows, int64_t columns, const float* x, SoftmaxOfRow* softmax) {
  for (int64_t r = first_element() / 32; r < rows; r += element_step() / 32) {
    const Row<32, true> row(x + r * columns, columns, true);
    const float highest = row.max(), total = row.sum_of_exponentials(highest);
    if (row.lane == 0) softmax[r] = {highest, 1.f / total};
  }
}

// sums[block, channel, (overlap, extent)]; a block for every slab of channels. `softmax` where the channels are more than one slab.
template <int kLanes> __global__ void __launch_bounds__(kRowThreads)
    dice_sums_kernel(DicePixels p, int64_t slabs, const SoftmaxOfRow* softmax, double* sums) {
  const int64_t block = blockIdx.x / slabs, from = blockIdx.x % slabs * kSlab, per_sample = blocks_per_sample<kLanes>(p.pixels);
  const int64_t sample = block / per_sample;
  const int64_t first = block % per_sample * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const int columns = int(min(p.channels - from, int64_t(kSlab)));
  float mine[kRowNumbers][2] = {};
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t within = first + pass * rows_per_pass<kLanes>();
    const bool present = within < p.pixels;
    const int64_t pixel = sample * p.pixels + within;
    const Row<kLanes, false> row(p.x + pixel * p.channels + from, columns, present);
    const Row<kLanes, false> target(p.target + pixel * p.channels + from, columns, present);
    SoftmaxOfRow s = {};
    if (p.activation == DiceActivation::softmax) {
      if (softmax) {
        if (present) s = softmax[pixel];
      } else {
        s.highest = row.max();
        s.scale = 1.f / row.sum_of_exponentials(s.highest);
      }
    }
    row.each([&](int64_t c, float x) {
      const float t = target.kept[c / kLanes];
      const float probability = p.activation == DiceActivation::softmax ? expf(x - s.highest) * s.scale : dice_sigmoid(x);
      mine[c / kLanes][0] = fmaf(probability, t, mine[c / kLanes][0]);
      mine[c / kLanes][1] += p.squared ? fmaf(probability, probability, t * t) : probability + t;
    });
  }
  add_row_groups<kLanes, 2>(mine, columns, sums + (block * p.channels + from) * 2);
}

// A warp per group, over its blocks.
__global__ void dice_groups_kernel(DicePixels p, int64_t per_sample, const double* sums, float* overlap_of, float* extent_of,
                                   double* dice) {
  const int lane = int(threadIdx.x % 32);
  for (int64_t group = first_element() / 32; group < p.groups; group += element_step() / 32) {
    const int64_t c = group % p.channels, from = p.per_sample ? group / p.channels * per_sample : 0;
    const int64_t to = p.per_sample ? from + per_sample : p.samples * per_sample;
    double overlap = 0, extent = 0;
    for (int64_t b = from + lane; b < to; b += 32) {
      overlap += sums[(b * p.channels + c) * 2];
      extent += sums[(b * p.channels + c) * 2 + 1];
    }
    overlap = warp_sum(overlap);
    extent = warp_sum(extent);
    if (lane != 0) continue;
    overlap_of[group] = float(overlap);
    extent_of[group] = float(extent);
    dice[group] = (2 * overlap + p.smooth) / (extent + p.smooth + p.eps);
  }
}

__global__ void dice_loss_kernel(int64_t groups, const double* dice, float* loss) {
  double total = 0;
  for (int64_t group = threadIdx.x; group < groups; group += blockDim.x) total += dice[group];
  total = block_sum(total);
  if (threadIdx.x == 0) loss[0] = groups > 0 ? float(1 - total / double(groups)) : 0.f;
}

// dp = of_target * t + of_size * (1, or p when squared)
struct DiceSlope {
  float of_target, of_size;
};

__global__ void dice_slopes_kernel(DicePixels p, const float* overlap, const float* extent, const float* dloss, DiceSlope* slopes) {
  for (int64_t group = first_element(); group < p.groups; group += element_step()) {
    const double size = double(extent[group]) + p.smooth + p.eps, twice = 2. * overlap[group] + p.smooth;
    const double g = -double(dloss[0]) / double(p.groups);
    slopes[group] = {float(g * 2 / size), float(-g * twice / (size * size) * (p.squared ? 2 : 1))};
  }
}

template <int kLanes, bool kWide> __global__ void __launch_bounds__(kRowThreads)
    soft_dice_bwd_kernel(DicePixels p, const DiceSlope* slopes, float* dx) {
  const int64_t per_sample = blocks_per_sample<kLanes>(p.pixels), sample = blockIdx.x / per_sample;
  const int64_t first = blockIdx.x % per_sample * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const DiceSlope* slope_of = slopes + (p.per_sample ? sample * p.channels : 0);
  const bool softmax = p.activation == DiceActivation::softmax;
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t within = first + pass * rows_per_pass<kLanes>(), at = (sample * p.pixels + within) * p.channels;
    const Row<kLanes, kWide> row(p.x + at, p.channels, within < p.pixels);
    float highest = 0.f, scale = 0.f, mean = 0.f;  // mean of dp under the softmax
    const auto probability_of = [&](float x) { return softmax ? expf(x - highest) * scale : dice_sigmoid(x); };
    const auto dp = [&](int64_t c, float probability) {
      const DiceSlope slope = slope_of[c];
      return fmaf(slope.of_target, p.target[at + c], p.squared ? slope.of_size * probability : slope.of_size);
    };
    if (softmax) {
      highest = row.max();
      scale = 1.f / row.sum_of_exponentials(highest);
      row.each([&](int64_t c, float x) { mean = fmaf(probability_of(x), dp(c, probability_of(x)), mean); });
      mean = row_sum<kLanes>(mean);
    }
    row.each([&](int64_t c, float x) {
      const float probability = probability_of(x), slope = dp(c, probability);
      dx[at + c] = probability * (softmax ? slope - mean : slope * (1.f - probability));
    });
  }
}

template <class P> static DicePixels pixels_of(Call& call, const P& p) {
  return {p.activation, p.per_sample, p.squared,    p.smooth,         p.eps, p.samples, p.pixels,
          p.channels,   p.groups,     call.in(p.x), call.in(p.target)};
}

void soft_dice_fwd(const SoftDiceFwd& p) {
  Call call;
  const DicePixels pixels = pixels_of(call, p);
  float *loss = call.out(p.loss), *overlap = call.out(p.overlap), *extent = call.out(p.extent);
  auto* dice = call.scratch<double>(p.groups);
  const int64_t rows = p.samples * p.pixels, slabs = ceil_div<int64_t>(p.channels, kSlab);
  SoftmaxOfRow* softmax = nullptr;
  if (slabs > 1 && p.activation == DiceActivation::softmax) {
    softmax = call.scratch<SoftmaxOfRow>(rows);
    call.launch_elements(rows * 32, wide_softmax_kernel, rows, p.channels, pixels.x, softmax);
  }
  with_row_shape(p.channels, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    const int64_t per_sample = blocks_per_sample<kLanes>(p.pixels), blocks = p.samples * per_sample;
    auto* sums = call.scratch<double>(blocks * p.channels * 2);
    call.launch({unsigned(blocks * slabs), kRowThreads}, dice_sums_kernel<kLanes>, pixels, slabs, softmax, sums);
    call.launch_elements(p.groups * 32, dice_groups_kernel, pixels, per_sample, sums, overlap, extent, dice);
  });
  call.launch({1, 512}, dice_loss_kernel, p.groups, dice, loss);
  call.finish();
}

void soft_dice_bwd(const SoftDiceBwd& p) {
  Call call;
  const DicePixels pixels = pixels_of(call, p);
  const float *overlap = call.in(p.overlap), *extent = call.in(p.extent), *dloss = call.in(p.dloss);
  float* dx = call.out(p.dx);
  auto* slopes = call.scratch<DiceSlope>(p.groups);
  call.launch_elements(p.groups, dice_slopes_kernel, pixels, overlap, extent, dloss, slopes);
  with_row_shape(p.channels, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    if (p.channels > 0)
      call.launch({unsigned(p.samples * blocks_per_sample<kLanes>(p.pixels)), kRowThreads}, soft_dice_bwd_kernel<kLanes, shape.kWide>,
                  pixels, slopes, dx);
  });
  call.finish();
}

}  // namespace uam::cuda
