// One AdamW step (Loshchilov and Hutter 2019), in place. With g' = gradient_scale g and `step` counting from 1:
//   m = beta1 m + (1 - beta1) g'        v = beta2 v + (1 - beta2) g'^2        (amsgrad: v_max = max(v_max, v))
//   p = p (1 - rate weight_decay) - rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps)        (amsgrad: v_max for v)
// A NaN or infinite gradient reaches p, m and v like any number: look at the gradients' norm first (l2_norm).
#pragma once
#include "params.h"

namespace uam {

struct Adamw {
  int64_t n;
  double rate, beta1, beta2, eps, weight_decay, gradient_scale;
  int64_t step;
  In<float> g;         // [n]
  Out<float> p, m, v;  // [n], read and written
  Out<float> v_max;    // [n], read and written; optional: amsgrad when present
  template <class V> void fields(V&& visit) {
    visit.dim("n", n);
    visit.number("learningRate", rate);
    visit.number("beta1", beta1);
    visit.number("beta2", beta2);
    visit.number("eps", eps);
    visit.number("weightDecay", weight_decay);
    visit.number("gradientScale", gradient_scale);
    visit.dim("step", step);
    visit.array("g", g, {n});
    visit.array("p", p, {n});
    visit.array("m", m, {n});
    visit.array("v", v, {n});
    visit.optional("vMax", v_max, {n});
  }
};

}  // namespace uam
