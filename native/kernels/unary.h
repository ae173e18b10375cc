// Elementwise functions of one array.
//   forward   y[i]  = f(x[i])
//   backward  dx[i] = dy[i] * f'(x[i])
#pragma once
#include "params.h"

namespace uam {

// The order is the contract: src/ops/unary.ts lists the same names.
enum class UnaryOp : int32_t { neg, abs, exp, log, sqrt, square, reciprocal, tanh, sigmoid, silu, softplus, relu, gelu_tanh, gelu_erf, count };

struct UnaryFwd {
  UnaryOp op;
  int64_t n;
  In<float> x;   // [n]
  Out<float> y;  // [n]
  template <class V> void fields(V&& v) {
    v.choice("op", op, int(UnaryOp::count));
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("y", y, {n});
  }
};

struct UnaryBwd {
  UnaryOp op;
  int64_t n;
  In<float> x, dy;  // [n]
  Out<float> dx;    // [n]
  template <class V> void fields(V&& v) {
    v.choice("op", op, int(UnaryOp::count));
    v.dim("n", n);
    v.array("x", x, {n});
    v.array("dy", dy, {n});
    v.array("dx", dx, {n});
  }
};

}  // namespace uam
