// Brings the experts' rows back to their tokens (order and slot as in moe_dispatch.h):
//   out[t, :]      sum of weights[t, c] rows[slot[t, c], :] over kept c, in order of slots; 0 where every choice was dropped
//   drows[s, :]    weights[order[s]] dout[order[s] / k, :]
//   dweights[t, c] <rows[slot[t, c], :], dout[t, :]>, 0 where dropped
#pragma once
#include "params.h"

namespace uam {

struct MoeCombineFwd {
  int64_t tokens, width, k, slots;
  In<float> rows;     // [slots, width]
  In<float> weights;  // [tokens, k]
  In<int32_t> slot;   // [tokens, k], -1 where dropped
  Out<float> out;     // [tokens, width]
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("width", width);
    v.dim("k", k);
    v.dim("slots", slots);
    v.array("rows", rows, {slots, width});
    v.array("weights", weights, {tokens, k});
    v.array("slot", slot, {tokens, k});
    v.array("out", out, {tokens, width});
  }
};

struct MoeCombineBwd {
  int64_t tokens, width, k, slots;
  In<float> rows;       // [slots, width]
  In<float> weights;    // [tokens, k]
  In<int32_t> order;    // [slots], a choice t * k + c
  In<int32_t> slot;     // [tokens, k]
  In<float> dout;       // [tokens, width]
  Out<float> drows;     // [slots, width], optional
  Out<float> dweights;  // [tokens, k], optional
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("width", width);
    v.dim("k", k);
    v.dim("slots", slots);
    v.array("rows", rows, {slots, width});
    v.array("weights", weights, {tokens, k});
    v.array("order", order, {slots});
    v.array("slot", slot, {tokens, k});
    v.array("dOut", dout, {tokens, width});
    v.optional("dRows", drows, {slots, width});
    v.optional("dWeights", dweights, {tokens, k});
  }
};

}  // namespace uam
