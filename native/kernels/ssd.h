// State space duality: the scan of Mamba-2 (Dao & Gu 2024), whose A is one number per head. Along each sequence, with
// d = dt + dtBias (or softplus of that), and g the group of head h, h / (heads / groups):
//   a[t, h] = exp(d[t, h] A[h])
//   H[t, h, p, n] = a[t, h] H[t-1, h, p, n] + d[t, h] x[t, h, p] B[t, g, n]
//   y[t, h, p] = sum_n C[t, g, n] H[t, h, p, n] + D[h] x[t, h, p],   out = y, or y silu(z)
// H starts from h0 or zero at each sequence's first token (its last one in reverse); lastState is H at the other end.
// Backward, with e = dOut silu(z) and G the gradient of H, which runs the other way:
//   G[t] = a[t+1] G[t+1] + C[t] e[t],           dC[t, n] = sum_hp e H[t],     dB[t, n] = sum_hp G d x
//   dX = d sum_n G B + D e,                     dD = sum_tp e x,              dZ = dOut y silu'(z)
//   the gradient of d[t, h] is sum_pn G x B + A a sum_pn G H[t-1];  dA = sum_t d a sum_pn G H[t-1]
#pragma once
#include "params.h"

namespace uam {

struct SsdFwd {
  int64_t tokens, heads, headDim, groups, state;  // heads is a multiple of groups
  bool dtSoftplus, reverse;
  Offsets offsets;       // [sequences + 1]
  In<float> x;           // [tokens, heads, headDim]
  In<float> dt;          // [tokens, heads]
  In<float> A;           // [heads]
  In<float> B, C;        // [tokens, groups, state]
  In<float> dtBias, D;   // [heads], optional
  In<float> z;           // [tokens, heads, headDim], optional
  In<float> h0;          // [sequences, heads, headDim, state], optional
  Out<float> out;        // [tokens, heads, headDim]
  Out<float> lastState;  // [sequences, heads, headDim, state]
  template <class V> void fields(V&& v) {
    inputs(v);
    v.array("out", out, {tokens, heads, headDim});
    v.array("lastState", lastState, {offsets.sequences(), heads, headDim, state});
  }
  template <class V> void inputs(V& v) {
    v.dim("tokens", tokens);
    v.dim("heads", heads);
    v.dim("headDim", headDim);
    v.dim("groups", groups);
    v.dim("state", state);
    v.flag("dtSoftplus", dtSoftplus);
    v.flag("reverse", reverse);
    v.offsets("offsets", offsets, tokens);
    v.array("x", x, {tokens, heads, headDim});
    v.array("dt", dt, {tokens, heads});
    v.array("A", A, {heads});
    v.array("B", B, {tokens, groups, state});
    v.array("C", C, {tokens, groups, state});
    v.optional("dtBias", dtBias, {heads});
    v.optional("D", D, {heads});
    v.optional("z", z, {tokens, heads, headDim});
    v.optional("h0", h0, {offsets.sequences(), heads, headDim, state});
  }
};

// The inputs of the forward, whose out and lastState stay empty: the states are computed again.
struct SsdBwd : SsdFwd {
  In<float> dOut;              // [tokens, heads, headDim]
  In<float> dLastState;        // [sequences, heads, headDim, state], optional
  Out<float> dX, dZ;           // [tokens, heads, headDim]; these and all that follow are optional
  Out<float> dDt;              // [tokens, heads]
  Out<float> dB, dC;           // [tokens, groups, state]
  Out<float> dA, dD, dDtBias;  // [heads]
  Out<float> dH0;              // [sequences, heads, headDim, state]
  template <class V> void fields(V&& v) {
    inputs(v);
    v.array("dOut", dOut, {tokens, heads, headDim});
    v.optional("dLastState", dLastState, {offsets.sequences(), heads, headDim, state});
    v.optional("dX", dX, {tokens, heads, headDim});
    v.optional("dZ", dZ, {tokens, heads, headDim});
    v.optional("dDt", dDt, {tokens, heads});
    v.optional("dB", dB, {tokens, groups, state});
    v.optional("dC", dC, {tokens, groups, state});
    v.optional("dA", dA, {heads});
    v.optional("dD", dD, {heads});
    v.optional("dDtBias", dDtBias, {heads});
    v.optional("dH0", dH0, {offsets.sequences(), heads, headDim, state});
  }
};

}  // namespace uam
