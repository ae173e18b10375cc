// norm[0] = sqrt(sum of x[i]^2), summed in float64: no square overflows or vanishes.
// NaN if any element is NaN, infinity if any is infinite and none NaN.
#pragma once
#include "params.h"

namespace uam {

struct L2Norm {
  int64_t n;
  In<float> x;      // [n]
  Out<float> norm;  // [1]
  template <class V> void fields(V&& v) {
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("norm", norm, {1});
  }
};

}  // namespace uam
