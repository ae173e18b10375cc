// Softmax and its logarithm along the middle axis of x[outer, axis, inner].
//   softmax      out = e / sum e            with e = exp(x - max x)
//   logarithm    out = (x - max x) - log(sum e)
// Backward, from the output alone:
//   softmax      dX = out (dOut - sum(dOut out))
//   logarithm    dX = dOut - exp(out) sum(dOut)
// As these formulas give it: a column that holds NaN or +inf, or nothing but -inf, comes out NaN throughout.
#pragma once
#include "params.h"

namespace uam {

struct SoftmaxFwd {
  int64_t outer, axis, inner;
  bool logarithm;
  In<float> x;     // [outer, axis, inner]
  Out<float> out;  // [outer, axis, inner]
  template <class V> void fields(V&& v) {
    v.dim("outer", outer);
    v.dim("axis", axis);
    v.dim("inner", inner);
    v.flag("logarithm", logarithm);
    v.array("x", x, {outer, axis, inner});
    v.array("out", out, {outer, axis, inner});
  }
};

struct SoftmaxBwd {
  int64_t outer, axis, inner;
  bool logarithm;
  In<float> out, dOut;  // [outer, axis, inner]
  Out<float> dX;        // [outer, axis, inner]
  template <class V> void fields(V&& v) {
    v.dim("outer", outer);
    v.dim("axis", axis);
    v.dim("inner", inner);
    v.flag("logarithm", logarithm);
    v.array("out", out, {outer, axis, inner});
    v.array("dOut", dOut, {outer, axis, inner});
    v.array("dX", dX, {outer, axis, inner});
  }
};

}  // namespace uam
