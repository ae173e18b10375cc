// total[0] = sum of x[i]^2 in float64, for norms. NaN if any element is NaN, infinity if any is infinite and none NaN.
#pragma once
#include "params.h"

namespace uam {

struct SquareSum {
  int64_t n;
  In<float> x;        // [n]
  Out<double> total;  // [1]
  template <class V> void fields(V&& v) {
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("total", total, {1});
  }
};

}  // namespace uam
