// The selective scan of Mamba (Gu and Dao, 2023), packed and channels last. For every channel d and state n, over the
// tokens t of one sequence in scan order (first to last, or last to first with `reverse`):
//   dt[t]     = delta[t] + delta_bias                        (softplus of that with `delta_softplus`)
//   h[t]      = exp(dt[t] A) h[t-1] + dt[t] B[t] u[t]        h[-1] = h0, or zero
//   y[t]      = sum_n C[t] h[t] + D u[t]
//   out[t]    = y[t] silu(z[t])                              (y[t] without z)
//   last_state = h after the last step in scan order         (h0, or zero, for an empty sequence)
// B and C are either read per token, channel d using group d / (dim / groups), or constant in time, one row per channel.
//
// For training the forward keeps the state at the start of every chunk of kScanChunk tokens, counted in scan order from
// each sequence's own start; the backward recomputes the states in between. A sequence of L tokens has
// ceil(L / kScanChunk) chunks and `chunks` is their sum over the sequences: checked by the kernels.
#pragma once
#include <string>

#include "params.h"

namespace uam {

inline constexpr int64_t kScanChunk = 64;  // src/ops/selective_scan.ts states the same number

inline int64_t scan_chunks_of(int64_t length) { return (length + kScanChunk - 1) / kScanChunk; }

// What forward and backward read alike.
struct SelectiveScanInputs {
  int64_t tokens, dim, state, groups, chunks;
  bool delta_softplus, reverse;
  bool constant_B, constant_C;
  Offsets offsets;       // sequences over the tokens
  In<float> u, delta;    // [tokens, dim]
  In<float> A;           // [dim, state]
  In<float> B, C;        // [tokens, groups, state], or [dim, state] where constant
  In<float> D;           // [dim], or absent: 0
  In<float> z;           // [tokens, dim], or absent: no gate
  In<float> delta_bias;  // [dim], or absent: 0
  In<float> h0;          // [sequences, dim, state], or absent: 0
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("dim", dim);
    v.dim("state", state);
    v.dim("groups", groups);
    v.dim("chunks", chunks);
    v.flag("deltaSoftplus", delta_softplus);
    v.flag("reverse", reverse);
    v.flag("constantB", constant_B);
    v.flag("constantC", constant_C);
    v.offsets("offsets", offsets, tokens);
    v.array("u", u, {tokens, dim});
    v.array("delta", delta, {tokens, dim});
    v.array("A", A, {dim, state});
    v.array("B", B, {constant_B ? dim : tokens, constant_B ? 1 : groups, state});
    v.array("C", C, {constant_C ? dim : tokens, constant_C ? 1 : groups, state});
    v.optional("D", D, {dim});
    v.optional("z", z, {tokens, dim});
    v.optional("deltaBias", delta_bias, {dim});
    v.optional("h0", h0, {offsets.sequences(), dim, state});
  }
};

struct SelectiveScanFwd : SelectiveScanInputs {
  Out<float> out;          // [tokens, dim]
  Out<float> last_state;   // [sequences, dim, state], or absent
  Out<float> checkpoints;  // [chunks, state, dim], or absent: sequence by sequence, chunk by chunk in scan order
  template <class V> void fields(V&& v) {
    SelectiveScanInputs::fields(v);
    v.array("out", out, {tokens, dim});
    v.optional("lastState", last_state, {offsets.sequences(), dim, state});
    v.optional("checkpoints", checkpoints, {chunks, state, dim});
  }
};

// Gradients of sum(dOut * out) + sum(dLastState * last_state); each is computed only if its array is given.
struct SelectiveScanBwd : SelectiveScanInputs {
  In<float> checkpoints;  // [chunks, state, dim], from the forward
  In<float> dOut;         // [tokens, dim], or absent: 0
  In<float> dLastState;   // [sequences, dim, state], or absent: 0
  Out<float> dU, dDelta;  // [tokens, dim]
  Out<float> dA;          // [dim, state]
  Out<float> dB, dC;      // the shapes of B and C
  Out<float> dD;          // [dim]
  Out<float> dZ;          // [tokens, dim]; needs z
  Out<float> dDeltaBias;  // [dim]
  Out<float> dH0;         // [sequences, dim, state]
  template <class V> void fields(V&& v) {
    SelectiveScanInputs::fields(v);
    v.array("checkpoints", checkpoints, {chunks, state, dim});
    v.optional("dOut", dOut, {tokens, dim});
    v.optional("dLastState", dLastState, {offsets.sequences(), dim, state});
    v.optional("dU", dU, {tokens, dim});
    v.optional("dDelta", dDelta, {tokens, dim});
    v.optional("dA", dA, {dim, state});
    v.optional("dB", dB, {constant_B ? dim : tokens, constant_B ? 1 : groups, state});
    v.optional("dC", dC, {constant_C ? dim : tokens, constant_C ? 1 : groups, state});
    v.optional("dD", dD, {dim});
    v.optional("dZ", dZ, {tokens, dim});
    v.optional("dDeltaBias", dDeltaBias, {dim});
    v.optional("dH0", dH0, {offsets.sequences(), dim, state});
  }
};

// Throws unless the dims fit each other. `uses_checkpoints`: an array of `chunks` rows is about to be used.
inline void check_selective_scan(const SelectiveScanInputs& p, bool uses_checkpoints) {
  if (p.groups < 1 || p.dim % p.groups != 0)
    throw KernelError("UAM_SHAPE", "groups must divide dim " + std::to_string(p.dim) + ", received " + std::to_string(p.groups));
  int64_t chunks = 0;
  for (int64_t s = 0; s < p.offsets.sequences(); ++s) chunks += scan_chunks_of(p.offsets.length(s));
  if (uses_checkpoints && p.chunks != chunks)
    throw KernelError("UAM_SHAPE", "chunks must be " + std::to_string(chunks) + " for these offsets, received " + std::to_string(p.chunks));
}

}  // namespace uam
