// Depthwise causal convolution along packed sequences, the short filter of Mamba blocks.
//   pre[t, d] = bias[d] + sum_k weight[d, k] x[t - (width - 1) + k, d],  x = 0 outside t's own sequence
//   out = pre, or silu(pre) = pre / (1 + e^-pre)
// `reverse` looks ahead instead: x[t + (width - 1) - k, d].
// Backward, with g = dOut (silu'(pre)): dX is g convolved the other way round, dWeight[d, k] the sum over t of g[t, d]
// times the x that weight[d, k] met there, dBias the sum of g. pre is computed again, not saved.
#pragma once
#include "params.h"

namespace uam {

enum class Conv1dActivation : int32_t { none, silu, count };

struct CausalConv1dFwd {
  int64_t tokens, dim, width;  // width from 1 to 4
  bool reverse;
  Conv1dActivation activation;
  Offsets offsets;   // [sequences + 1]
  In<float> x;       // [tokens, dim]
  In<float> weight;  // [dim, width]
  In<float> bias;    // [dim], optional
  Out<float> out;    // [tokens, dim]
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("dim", dim);
    v.dim("width", width);
    v.flag("reverse", reverse);
    v.choice("activation", activation, int(Conv1dActivation::count));
    v.offsets("offsets", offsets, tokens);
    v.array("x", x, {tokens, dim});
    v.array("weight", weight, {dim, width});
    v.optional("bias", bias, {dim});
    v.array("out", out, {tokens, dim});
  }
};

struct CausalConv1dBwd {
  int64_t tokens, dim, width;
  bool reverse;
  Conv1dActivation activation;
  Offsets offsets;
  In<float> x, dOut;   // [tokens, dim]
  In<float> weight;    // [dim, width]
  In<float> bias;      // [dim], optional
  Out<float> dX;       // [tokens, dim], optional
  Out<float> dWeight;  // [dim, width], optional
  Out<float> dBias;    // [dim], optional
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("dim", dim);
    v.dim("width", width);
    v.flag("reverse", reverse);
    v.choice("activation", activation, int(Conv1dActivation::count));
    v.offsets("offsets", offsets, tokens);
    v.array("x", x, {tokens, dim});
    v.array("dOut", dOut, {tokens, dim});
    v.array("weight", weight, {dim, width});
    v.optional("bias", bias, {dim});
    v.optional("dX", dX, {tokens, dim});
    v.optional("dWeight", dWeight, {dim, width});
    v.optional("dBias", dBias, {dim});
  }
};

}  // namespace uam
