// The way back through y = activation(x + bias), where x + bias was kept:
//   d_pre[i, j]  = dy[i, j] * activation'(pre[i, j])
//   d_bias[s, j] = sum of d_pre[i, j] over the rows i of sequence s
// Sequences are groups of rows with a bias of their own (experts); a plain layer has one, [0, rows].
// Without an activation d_pre is dy itself, and only d_bias is made.
#pragma once
#include "activation.h"
#include "params.h"

namespace uam {

struct BiasActivationBwd {
  Activation activation;
  int64_t rows, columns;
  Offsets offsets;    // of rows, sequences + 1
  In<float> dy;       // [rows, columns]
  In<float> pre;      // [rows, columns]; needed where there is an activation
  Out<float> d_pre;   // [rows, columns]
  Out<float> d_bias;  // [sequences, columns]
  template <class V> void fields(V&& v) {
    v.choice("activation", activation, int(Activation::count));
    v.dim("rows", rows);
    v.dim("columns", columns);
    v.unchecked_offsets("offsets", offsets, rows);
    v.array("dy", dy, {rows, columns});
    v.optional("pre", pre, {rows, columns});
    v.optional("dPre", d_pre, {rows, columns});
    v.optional("dBias", d_bias, {offsets.sequences(), columns});
  }
};

}  // namespace uam
