// Cross entropy of logits against integer targets. With p = softmax(logits[r, :]), w the class weights (1 where absent),
// s the label smoothing and y = target[r]:
//   loss[r] = (1 - s) w[y] (-log p[y]) + s / classes * sum_c w[c] (-log p[c]);   exactly 0 where y == ignore_index
//   dlogits[r, c] = g (p[c] ((1 - s) w[y] + s / classes * sum w) - (1 - s) w[y] [c == y] - s / classes * w[c])
// none keeps every loss; sum adds them; mean divides the sum by divisor, the sum of w[y] over kept rows, and is 0 with
// zero gradients when no weight was kept. g is dloss[r], dloss[0] or dloss[0] / divisor.
#pragma once
#include "params.h"
#include "reduction.h"

namespace uam {

struct CrossEntropyFwd {
  Reduction reduction;
  int64_t rows, classes;
  int32_t ignore_index;
  float label_smoothing;
  In<float> logits;        // [rows, classes]
  In<int32_t> target;      // [rows], ignore_index or 0 .. classes - 1
  In<float> class_weight;  // [classes], optional
  Out<float> loss;         // [rows] for none, else [1]
  Out<float> divisor;      // [1], kept for the backward pass; 1 unless mean
  template <class V> void fields(V&& v) {
    v.choice("reduction", reduction, int(Reduction::count));
    v.dim("rows", rows);
    v.dim("classes", classes);
    v.number("ignoreIndex", ignore_index);
    v.number("labelSmoothing", label_smoothing);
    v.array("logits", logits, {rows, classes});
    v.array("target", target, {rows});
    v.optional("classWeight", class_weight, {classes});
    v.array("loss", loss, {reduction == Reduction::none ? rows : 1});
    v.array("divisor", divisor, {1});
  }
};

struct CrossEntropyBwd {
  Reduction reduction;
  int64_t rows, classes;
  int32_t ignore_index;
  float label_smoothing;
  In<float> logits;        // [rows, classes]
  In<int32_t> target;      // [rows]
  In<float> class_weight;  // [classes], optional
  In<float> divisor;       // [1], from the forward pass
  In<float> dloss;         // [rows] for none, else [1]
  Out<float> dlogits;      // [rows, classes]
  template <class V> void fields(V&& v) {
    v.choice("reduction", reduction, int(Reduction::count));
    v.dim("rows", rows);
    v.dim("classes", classes);
    v.number("ignoreIndex", ignore_index);
    v.number("labelSmoothing", label_smoothing);
    v.array("logits", logits, {rows, classes});
    v.array("target", target, {rows});
    v.optional("classWeight", class_weight, {classes});
    v.array("divisor", divisor, {1});
    v.array("dLoss", dloss, {reduction == Reduction::none ? rows : 1});
    v.array("dLogits", dlogits, {rows, classes});
  }
};

}  // namespace uam
