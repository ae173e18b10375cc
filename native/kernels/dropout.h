// y[i] = u[i] >= rate ? x[i] / (1 - rate) : 0 with u[i] uniform from (seed, step, stream, i), as kernel `random` gives it.
// The gradient is the same function of dy: the mask is made again, not stored. (Srivastava et al. 2014)
#pragma once
#include "params.h"

namespace uam {

struct Dropout {
  float rate;  // in [0, 1)
  uint32_t seed, step, stream;
  int64_t n;
  In<float> x;   // [n]
  Out<float> y;  // [n]
  template <class V> void fields(V&& v) {
    v.number("rate", rate);
    v.number("seed", seed);
    v.number("step", step);
    v.number("stream", stream);
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("y", y, {n});
  }
};

}  // namespace uam
