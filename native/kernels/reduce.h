// Reduces the middle axis of an array:
//   sum   y[o, i] = scale * sum_a x[o, a, i]
//   max   y[o, i] = max_a x[o, a, i], index[o, i] = the first a that attains it (NaN counts as greater than any number)
//   min   likewise
// Backward of max and min: dx[o, index[o, i], i] = dy[o, i], and 0 elsewhere.
#pragma once
#include "params.h"

namespace uam {

enum class ReduceOp : int32_t { sum, max, min, count };

struct Reduce {
  ReduceOp op;
  int64_t outer, axis, inner;
  float scale;         // for sum; a mean has 1 / axis
  In<float> x;         // [outer, axis, inner]
  Out<float> y;        // [outer, inner]
  Out<int32_t> index;  // [outer, inner], optional; max and min only, where axis must be >= 1
  template <class V> void fields(V&& v) {
    v.choice("op", op, int(ReduceOp::count));
    v.dim("outer", outer);
    v.dim("axis", axis);
    v.dim("inner", inner);
    v.number("scale", scale);
    v.array("x", x, {outer, axis, inner});
    v.array("y", y, {outer, inner});
    v.optional("index", index, {outer, inner});
  }
};

struct ReduceBwd {
  int64_t outer, axis, inner;
  In<int32_t> index;  // [outer, inner], each in [0, axis)
  In<float> dy;       // [outer, inner]
  Out<float> dx;      // [outer, axis, inner]
  template <class V> void fields(V&& v) {
    v.dim("outer", outer);
    v.dim("axis", axis);
    v.dim("inner", inner);
    v.array("index", index, {outer, inner});
    v.array("dy", dy, {outer, inner});
    v.array("dx", dx, {outer, axis, inner});
  }
};

}  // namespace uam
