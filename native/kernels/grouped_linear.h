// A linear layer whose rows are sorted by group (the tokens of each expert), with weights of each group's own:
//   forward   y[i] = activation(x[i] weight[g]^T + bias[g])      for the rows i of group g
//   backward  dx[i] = d_pre[i] weight[g];  d_weight[g] = sum over i of d_pre[i]^T x[i]
// d_pre is the gradient before the activation: see bias_activation.h, which also makes that of the bias.
#pragma once
#include "activation.h"
#include "params.h"

namespace uam {

struct GroupedLinearFwd {
  Activation activation;
  int64_t rows, inputs, outputs;
  Offsets offsets;            // of rows, groups + 1
  In<float> x;                // [rows, inputs]
  In<float> weight;           // [groups, outputs, inputs]
  In<float> bias;             // [groups, outputs]
  Out<float> y;               // [rows, outputs]
  Out<float> pre_activation;  // [rows, outputs]
  template <class V> void fields(V&& v) {
    v.choice("activation", activation, int(Activation::count));
    v.dim("rows", rows);
    v.dim("inputs", inputs);
    v.dim("outputs", outputs);
    v.unchecked_offsets("offsets", offsets, rows);
    v.array("x", x, {rows, inputs});
    v.array("weight", weight, {offsets.sequences(), outputs, inputs});
    v.optional("bias", bias, {offsets.sequences(), outputs});
    v.array("y", y, {rows, outputs});
    v.optional("preActivation", pre_activation, {rows, outputs});
  }
};

struct GroupedLinearBwd {
  int64_t rows, inputs, outputs;
  Offsets offsets;
  In<float> x;          // [rows, inputs]
  In<float> weight;     // [groups, outputs, inputs]
  In<float> d_pre;      // [rows, outputs]
  Out<float> dx;        // [rows, inputs]
  Out<float> d_weight;  // [groups, outputs, inputs]
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("inputs", inputs);
    v.dim("outputs", outputs);
    v.unchecked_offsets("offsets", offsets, rows);
    v.array("x", x, {rows, inputs});
    v.array("weight", weight, {offsets.sequences(), outputs, inputs});
    v.array("dPre", d_pre, {rows, outputs});
    v.optional("dx", dx, {rows, inputs});
    v.optional("dWeight", d_weight, {offsets.sequences(), outputs, inputs});
  }
};

}  // namespace uam
