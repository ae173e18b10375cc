// Soft Dice loss of logits x against targets t in [0, 1], p = sigmoid(x) or the softmax over channels. Per group (a channel
// of a sample, or with per_sample off a channel of the whole batch), sums running over its pixels:
//   overlap = sum p t,   extent = sum p + sum t  (squared: sum p^2 + sum t^2)
//   dice = (2 overlap + smooth) / (extent + smooth + eps),   loss = 1 - mean of dice over groups
//   dp = -dloss / groups (2 t / (extent + smooth + eps) - (2 overlap + smooth) / (extent + smooth + eps)^2 (1, or squared: 2 p))
// Targets get no gradient. A batch without any group has loss 0.
#pragma once
#include "params.h"

namespace uam {

enum class DiceActivation : int32_t { sigmoid, softmax, count };

struct SoftDiceFwd {
  DiceActivation activation;
  bool per_sample, squared;
  float smooth, eps;
  int64_t samples, pixels, channels;
  int64_t groups;              // channels, times samples when per_sample
  In<float> x, target;         // [samples, pixels, channels]
  Out<float> loss;             // [1]
  Out<float> overlap, extent;  // [groups], kept for the backward pass
  template <class V> void fields(V&& v) {
    v.choice("activation", activation, int(DiceActivation::count));
    v.flag("perSample", per_sample);
    v.flag("squared", squared);
    v.number("smooth", smooth);
    v.number("eps", eps);
    v.dim("samples", samples);
    v.dim("pixels", pixels);
    v.dim("channels", channels);
    groups = per_sample ? samples * channels : channels;
    v.array("x", x, {samples, pixels, channels});
    v.array("target", target, {samples, pixels, channels});
    v.array("loss", loss, {1});
    v.array("overlap", overlap, {groups});
    v.array("extent", extent, {groups});
  }
};

struct SoftDiceBwd {
  DiceActivation activation;
  bool per_sample, squared;
  float smooth, eps;
  int64_t samples, pixels, channels;
  int64_t groups;
  In<float> x, target;        // [samples, pixels, channels]
  In<float> overlap, extent;  // [groups], from the forward pass
  In<float> dloss;            // [1]
  Out<float> dx;              // [samples, pixels, channels]
  template <class V> void fields(V&& v) {
    v.choice("activation", activation, int(DiceActivation::count));
    v.flag("perSample", per_sample);
    v.flag("squared", squared);
    v.number("smooth", smooth);
    v.number("eps", eps);
    v.dim("samples", samples);
    v.dim("pixels", pixels);
    v.dim("channels", channels);
    groups = per_sample ? samples * channels : channels;
    v.array("x", x, {samples, pixels, channels});
    v.array("target", target, {samples, pixels, channels});
    v.array("overlap", overlap, {groups});
    v.array("extent", extent, {groups});
    v.array("dLoss", dloss, {1});
    v.array("dX", dx, {samples, pixels, channels});
  }
};

}  // namespace uam
