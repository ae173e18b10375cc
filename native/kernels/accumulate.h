// y[i] += x[i]: sums the gradients of a tensor that was used more than once.
#pragma once
#include "params.h"

namespace uam {

struct Accumulate {
  int64_t n;
  In<float> x;   // [n]
  Out<float> y;  // [n], read and written
  template <class V> void fields(V&& v) {
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("y", y, {n});
  }
};

}  // namespace uam
