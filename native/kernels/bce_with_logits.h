// Binary cross entropy of logits x against targets t in [0, 1]; column c may weight its positives by v = pos_weight[c]:
//   loss = (1 - t) x + (1 + (v - 1) t) softplus(-x)
//        = (x < 0 ? -v t x : (1 - t) x) + (1 + (v - 1) t) log(1 + e^-|x|)      the form computed here: nothing cancels
//   dx   = g ((1 - t) sigmoid(x) - v t sigmoid(-x))
// Elements whose keep is 0 give exactly 0. none keeps every loss; sum adds them; mean divides the sum by divisor, the
// number of kept elements, and is 0 with zero gradients when none was kept. g is dloss[i], dloss[0] or dloss[0] / divisor.
#pragma once
#include "params.h"
#include "reduction.h"

namespace uam {

struct BceWithLogitsFwd {
  Reduction reduction;
  int64_t rows, columns;
  In<float> x, target;   // [rows, columns]
  In<float> pos_weight;  // [columns], optional
  In<uint8_t> keep;      // [rows, columns], optional
  Out<float> loss;       // [rows, columns] for none, else [1]
  Out<float> divisor;    // [1], kept for the backward pass; 1 unless mean
  template <class V> void fields(V&& v) {
    v.choice("reduction", reduction, int(Reduction::count));
    v.dim("rows", rows);
    v.dim("columns", columns);
    v.array("x", x, {rows, columns});
    v.array("target", target, {rows, columns});
    v.optional("posWeight", pos_weight, {columns});
    v.optional("keep", keep, {rows, columns});
    if (reduction == Reduction::none) v.array("loss", loss, {rows, columns});
    else v.array("loss", loss, {1});
    v.array("divisor", divisor, {1});
  }
};

struct BceWithLogitsBwd {
  Reduction reduction;
  int64_t rows, columns;
  In<float> x, target;   // [rows, columns]
  In<float> pos_weight;  // [columns], optional
  In<uint8_t> keep;      // [rows, columns], optional
  In<float> divisor;     // [1], from the forward pass
  In<float> dloss;       // [rows, columns] for none, else [1]
  Out<float> dx;         // [rows, columns]
  template <class V> void fields(V&& v) {
    v.choice("reduction", reduction, int(Reduction::count));
    v.dim("rows", rows);
    v.dim("columns", columns);
    v.array("x", x, {rows, columns});
    v.array("target", target, {rows, columns});
    v.optional("posWeight", pos_weight, {columns});
    v.optional("keep", keep, {rows, columns});
    v.array("divisor", divisor, {1});
    if (reduction == Reduction::none) v.array("dLoss", dloss, {rows, columns});
    else v.array("dLoss", dloss, {1});
    v.array("dX", dx, {rows, columns});
  }
};

}  // namespace uam
