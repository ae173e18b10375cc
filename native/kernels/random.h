// Random numbers from a counter-based generator (philox.h), a pure function of (seed, step, stream, element):
//   uniform  y[i] in [0, 1), multiples of 2^-24
//   normal   mean 0, variance 1 (Box and Muller 1958)
#pragma once
#include "params.h"

namespace uam {

enum class Distribution : int32_t { uniform, normal, count };

struct Random {
  Distribution distribution;
  uint32_t seed, step, stream;
  int64_t n;
  Out<float> y;  // [n]
  template <class V> void fields(V&& v) {
    v.choice("distribution", distribution, int(Distribution::count));
    v.number("seed", seed);
    v.number("step", step);
    v.number("stream", stream);
    v.dim("n", n);
    v.array("y", y, {n});
  }
};

}  // namespace uam
