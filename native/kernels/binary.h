// Elementwise functions of two arrays that are read through strides (0 where an axis repeats):
//   y[i] = f(a[i], b[i]),  i over `shape` in C order
#pragma once
#include "params.h"

namespace uam {

// The order is the contract: src/ops/binary.ts lists the same names. greater_equal gives 1 or 0.
enum class BinaryOp : int32_t { add, sub, mul, div, maximum, minimum, greater_equal, count };

struct Binary {
  BinaryOp op;
  int64_t rank, n, size_a, size_b;
  In<int32_t> shape, strides_a, strides_b;  // [rank]
  In<float> a;                              // [size_a]
  In<float> b;                              // [size_b]
  Out<float> y;                             // [n] = product of shape
  template <class V> void fields(V&& v) {
    v.choice("op", op, int(BinaryOp::count));
    v.dim("rank", rank);
    v.dim("n", n);
    v.dim("sizeA", size_a);
    v.dim("sizeB", size_b);
    v.array("shape", shape, {rank});
    v.array("stridesA", strides_a, {rank});
    v.array("stridesB", strides_b, {rank});
    v.array("a", a, {size_a});
    v.array("b", b, {size_b});
    v.array("y", y, {n});
  }
};

}  // namespace uam
