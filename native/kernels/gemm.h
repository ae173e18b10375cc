// Products of matrices, one per batch entry:
//   c[i] = activation(op(a[i]) op(b[i]) + bias)      or      c[i] += op(a[i]) op(b[i])
// op(x) is x, or x^T where its transpose flag is set. An operand with one matrix serves every batch entry.
// k == 0 gives activation(bias).
#pragma once
#include "activation.h"
#include "params.h"

namespace uam {

struct GemmParams {
  bool transpose_a, transpose_b;
  bool accumulate;  // then c is read too, and there is no bias, activation or pre_activation
  Activation activation;
  int64_t batch, a_batch, b_batch;  // a_batch and b_batch are 1 or batch
  int64_t m, n, k;
  In<float> a;                // [a_batch, m, k], or [a_batch, k, m] transposed
  In<float> b;                // [b_batch, k, n], or [b_batch, n, k] transposed
  In<float> bias;             // [n]
  Out<float> c;               // [batch, m, n]
  Out<float> pre_activation;  // [batch, m, n]: what the activation was applied to
  template <class V> void fields(V&& v) {
    v.flag("transposeA", transpose_a);
    v.flag("transposeB", transpose_b);
    v.flag("accumulate", accumulate);
    v.choice("activation", activation, int(Activation::count));
    v.dim("batch", batch);
    v.dim("aBatch", a_batch);
    v.dim("bBatch", b_batch);
    v.dim("m", m);
    v.dim("n", n);
    v.dim("k", k);
    v.array("a", a, {a_batch, m, k});
    v.array("b", b, {b_batch, k, n});
    v.optional("bias", bias, {n});
    v.array("c", c, {batch, m, n});
    v.optional("preActivation", pre_activation, {batch, m, n});
  }
};

}  // namespace uam
