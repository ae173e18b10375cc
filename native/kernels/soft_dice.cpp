#include "kernels/soft_dice.h"

#include <algorithm>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/soft_dice.cpp"
#include "simd.h"

#include "row_lanes.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kSpan = 256;  // pixels summed in float32 before the sums move on to double

// A task is a run of one sample's pixels, about 16k logits; blocks are counted sample by sample.
struct Blocks {
  int64_t pixels, per_sample, total;

  template <class P> explicit Blocks(const P& p) {
    pixels = std::max<int64_t>((1 << 14) / std::max<int64_t>(p.channels, 1) / kSpan, 1) * kSpan;
    per_sample = (p.pixels + pixels - 1) / pixels;
    total = p.samples * per_sample;
  }

  int64_t sample(int64_t block) const { return block / per_sample; }
  int64_t begin(int64_t block) const { return block % per_sample * pixels; }
  int64_t end(int64_t block, int64_t all) const { return std::min(all, begin(block) + pixels); }
};

// tile: logits of W pixels, one vector per channel -> their probabilities.
UAM_INLINE void activate(float* tile, int64_t channels, DiceActivation activation) {
  if (activation == DiceActivation::softmax) {
    vf highest_logit;
    const vf scale = set1(1.f) / exponentials(tile, channels, highest_logit);
    for (int64_t c = 0; c < channels; ++c) store(tile + c * W, load(tile + c * W) * scale);
  } else {
    for (int64_t c = 0; c < channels; ++c) store(tile + c * W, sigmoid(load(tile + c * W)));
  }
}

void soft_dice_fwd(const SoftDiceFwd& p) {
  const Blocks blocks(p);
  const int64_t channels = p.channels;
  Scratch outer;
  double* sums = outer.take<double>(blocks.total * channels * 2);  // [block, channel, (overlap, extent)]
  parallel_for(blocks.total, 1, [&](int64_t block, int64_t) {
    Scratch scratch;
    float* tile = scratch.take<float>(channels * W);
    float* target = scratch.take<float>(channels * W);
    float* overlap = scratch.take<float>(channels * W);
    float* extent = scratch.take<float>(channels * W);
    double* block_sums = sums + block * channels * 2;
    for (int64_t i = 0; i < channels * 2; ++i) block_sums[i] = 0;
    const int64_t first = blocks.sample(block) * p.pixels, begin = first + blocks.begin(block), end = first + blocks.end(block, p.pixels);
    for (int64_t span = begin; span < end; span += kSpan) {
      for (int64_t c = 0; c < channels; ++c) {
        store(overlap + c * W, set1(0.f));
        store(extent + c * W, set1(0.f));
      }
      const int64_t span_end = std::min(end, span + kSpan);
      for (int64_t pixel = span; pixel < span_end; pixel += W) {
        const int lanes = int(std::min<int64_t>(W, span_end - pixel));
        load_rows(tile, p.x.data + pixel * channels, channels, lanes);
        load_rows(target, p.target.data + pixel * channels, channels, lanes);
        activate(tile, channels, p.activation);
        if (lanes < W)  // lanes without a pixel must not count
          for (int64_t c = 0; c < channels; ++c) store(tile + c * W, load_n(tile + c * W, lanes));
        for (int64_t c = 0; c < channels; ++c) {
          const vf probability = load(tile + c * W), t = load(target + c * W);
          store(overlap + c * W, fma(probability, t, load(overlap + c * W)));
          const vf size = p.squared ? fma(probability, probability, t * t) : probability + t;
          store(extent + c * W, load(extent + c * W) + size);
        }
      }
      for (int64_t c = 0; c < channels; ++c) {
        block_sums[c * 2] += sum(load(overlap + c * W));
        block_sums[c * 2 + 1] += sum(load(extent + c * W));
      }
    }
  });
  double total_dice = 0;
  for (int64_t group = 0; group < p.groups; ++group) {
    const int64_t sample = group / channels, c = group % channels;
    const int64_t from = p.per_sample ? sample * blocks.per_sample : 0, to = p.per_sample ? from + blocks.per_sample : blocks.total;
    double overlap = 0, extent = 0;
    for (int64_t b = from; b < to; ++b) {
      overlap += sums[(b * channels + c) * 2];
      extent += sums[(b * channels + c) * 2 + 1];
    }
    p.overlap.data[group] = float(overlap);
    p.extent.data[group] = float(extent);
    total_dice += (2 * overlap + p.smooth) / (extent + p.smooth + p.eps);
  }
  p.loss.data[0] = p.groups > 0 ? float(1 - total_dice / double(p.groups)) : 0.f;
}

void soft_dice_bwd(const SoftDiceBwd& p) {
  const Blocks blocks(p);
  const int64_t channels = p.channels;
  Scratch outer;
  // dp = per_target * t + per_size * (1, or p when squared)
  float* per_target = outer.take<float>(p.groups);
  float* per_size = outer.take<float>(p.groups);
  for (int64_t group = 0; group < p.groups; ++group) {
    const double extent = double(p.extent.data[group]) + p.smooth + p.eps, overlap = 2. * p.overlap.data[group] + p.smooth;
    const double g = -double(p.dloss.data[0]) / double(p.groups);
    per_target[group] = float(g * 2 / extent);
    per_size[group] = float(-g * overlap / (extent * extent) * (p.squared ? 2 : 1));
  }
  parallel_for(blocks.total, 1, [&](int64_t block, int64_t) {
    Scratch scratch;
    float* tile = scratch.take<float>(channels * W);
    float* slope = scratch.take<float>(channels * W);  // first the targets, then dp
    const int64_t sample = blocks.sample(block), first = sample * p.pixels;
    const float* weight = per_target + (p.per_sample ? sample * channels : 0);
    const float* size = per_size + (p.per_sample ? sample * channels : 0);
    const int64_t end = first + blocks.end(block, p.pixels);
    for (int64_t pixel = first + blocks.begin(block); pixel < end; pixel += W) {
      const int lanes = int(std::min<int64_t>(W, end - pixel));
      load_rows(tile, p.x.data + pixel * channels, channels, lanes);
      load_rows(slope, p.target.data + pixel * channels, channels, lanes);
      activate(tile, channels, p.activation);
      vf mean = set1(0.f);  // of dp under the softmax
      for (int64_t c = 0; c < channels; ++c) {
        const vf probability = load(tile + c * W);
        const vf dp = fma(set1(weight[c]), load(slope + c * W), p.squared ? set1(size[c]) * probability : set1(size[c]));
        store(slope + c * W, dp);
        mean = fma(probability, dp, mean);
      }
      for (int64_t c = 0; c < channels; ++c) {
        const vf probability = load(tile + c * W), dp = load(slope + c * W);
        const bool softmax = p.activation == DiceActivation::softmax;
        store(tile + c * W, probability * (softmax ? dp - mean : dp * (set1(1.f) - probability)));
      }
      store_rows(p.dx.data + pixel * channels, tile, channels, lanes);
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void soft_dice_fwd(const SoftDiceFwd& p) { UAM_BEST(soft_dice_fwd)(p); }
void soft_dice_bwd(const SoftDiceBwd& p) { UAM_BEST(soft_dice_bwd)(p); }
}  // namespace uam::cpu
#endif
