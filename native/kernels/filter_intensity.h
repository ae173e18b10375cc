// The intensity filters that PyRadiomics makes image types of, on one plane. With m = max |x| over the whole plane:
//   square       y = (x / sqrt(m))^2
//   square_root  y = sign(x) sqrt(|x| m)
//   logarithm    y = sign(x) log(|x| + 1) m / log(m + 1)
//   exponential  y = exp(x log(m) / m)
// A NaN anywhere makes m NaN, as numpy's max does. A plane of zeros has m = 0: 0 stays 0 under square_root and is NaN under the others.
#pragma once
#include "params.h"

namespace uam {

enum class IntensityFilter : int32_t { square, square_root, logarithm, exponential, count };

struct FilterIntensity {
  IntensityFilter filter;
  int64_t n;
  In<double> x;   // [n]
  Out<double> y;  // [n]
  template <class V> void fields(V&& v) {
    v.choice("filter", filter, int(IntensityFilter::count));
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("y", y, {n});
  }
};

}  // namespace uam
