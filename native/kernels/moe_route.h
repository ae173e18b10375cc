// Routing of a mixture of experts (Shazeer et al. 2017; losses: Fedus et al. 2021, Zoph et al. 2022). p = softmax(logits[t, :]).
//   indices[t, :]   the k experts of greatest logit, greatest first; equal logits: the lower index first; NaN counts as greatest
//   weights[t, c]   p at indices[t, c], over their sum in t when renormalize; 0 where dropped
//   kept[t, c]      0 where the expert already had `capacity` tokens (capacity 0: no limit). Places are given choice by
//                   choice: all tokens' first choice in token order, then all second choices, ...
//   fraction[e]     choices of e / (tokens k), before dropping; a constant for the gradient
//   load_balance    experts * sum_e fraction[e] mean_t p[t, e]
//   z_loss          mean_t logsumexp(logits[t, :])^2
// Without tokens both losses are 0. Gradients reach the logits through weights (kept ones), load_balance and z_loss.
#pragma once
#include "params.h"

namespace uam {

struct MoeRouteFwd {
  bool renormalize;
  int64_t tokens, experts, k, capacity;
  In<float> logits;                 // [tokens, experts]
  Out<float> weights;               // [tokens, k]
  Out<int32_t> indices;             // [tokens, k]
  Out<uint8_t> kept;                // [tokens, k]
  Out<float> fraction;              // [experts], kept for the backward pass
  Out<float> load_balance, z_loss;  // [1]
  template <class V> void fields(V&& v) {
    v.flag("renormalize", renormalize);
    v.dim("tokens", tokens);
    v.dim("experts", experts);
    v.dim("k", k);
    v.dim("capacity", capacity);
    v.array("logits", logits, {tokens, experts});
    v.array("weights", weights, {tokens, k});
    v.array("indices", indices, {tokens, k});
    v.array("kept", kept, {tokens, k});
    v.array("fraction", fraction, {experts});
    v.array("loadBalance", load_balance, {1});
    v.array("zLoss", z_loss, {1});
  }
};

struct MoeRouteBwd {
  bool renormalize;
  int64_t tokens, experts, k;
  In<float> logits;                  // [tokens, experts]
  In<int32_t> indices;               // [tokens, k]
  In<uint8_t> kept;                  // [tokens, k]
  In<float> fraction;                // [experts]
  In<float> dweights;                // [tokens, k], optional
  In<float> dload_balance, dz_loss;  // [1], optional
  Out<float> dlogits;                // [tokens, experts]
  template <class V> void fields(V&& v) {
    v.flag("renormalize", renormalize);
    v.dim("tokens", tokens);
    v.dim("experts", experts);
    v.dim("k", k);
    v.array("logits", logits, {tokens, experts});
    v.array("indices", indices, {tokens, k});
    v.array("kept", kept, {tokens, k});
    v.array("fraction", fraction, {experts});
    v.optional("dWeights", dweights, {tokens, k});
    v.optional("dLoadBalance", dload_balance, {1});
    v.optional("dZLoss", dz_loss, {1});
    v.array("dLogits", dlogits, {tokens, experts});
  }
};

}  // namespace uam
