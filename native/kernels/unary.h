// Elementwise functions of one array.
//   forward   y[i]  = f(x[i])
//   backward  dx[i] = dy[i] * f'(x[i])
// The slope of softplus at exactly 0 is 1, as the specification's vectors have it: they differentiate its stable form
// max(x, 0) + log1p(e^-|x|) term by term. (The true derivative there is 1/2. The fused softplus of the scans has that.)
#pragma once
#include <cmath>

#include "params.h"

namespace uam {

// The order is the contract: src/ops/unary.ts lists the same names.
enum class UnaryOp : int32_t {
  neg,
  abs,
  exp,
  log,
  sqrt,
  square,
  reciprocal,
  tanh,
  sigmoid,
  silu,
  softplus,
  relu,
  gelu_tanh,
  gelu_erf,
  count
};

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

// One element at a time: the arithmetic of devices that need no explicit vectors (the CPU loops use vec.h).
// Stable for every finite x; NaN comes out as NaN.

UAM_HD inline float sigmoid_scalar(float x) { return 1.f / (1.f + std::exp(-x)); }

// max(x, 0) + log1p(e^-|x|) = log(1 + e^x)
UAM_HD inline float softplus_scalar(float x) { return (x < 0.f ? 0.f : x) + std::log1p(std::exp(-std::fabs(x))); }

// sqrt(2 / pi) (x + 0.044715 x^3), the argument of the tanh in gelu_tanh
UAM_HD inline float gelu_inner(float x) { return 0.7978845608f * (x + 0.044715f * x * x * x); }

UAM_HD inline float unary_value(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::neg: return -x;
    case UnaryOp::abs: return std::fabs(x);
    case UnaryOp::exp: return std::exp(x);
    case UnaryOp::log: return std::log(x);
    case UnaryOp::sqrt: return std::sqrt(x);
    case UnaryOp::square: return x * x;
    case UnaryOp::reciprocal: return 1.f / x;
    case UnaryOp::tanh: return std::tanh(x);
    case UnaryOp::sigmoid: return sigmoid_scalar(x);
    case UnaryOp::silu: return x * sigmoid_scalar(x);
    case UnaryOp::softplus: return softplus_scalar(x);
    case UnaryOp::relu: return x < 0.f ? 0.f : x;
    case UnaryOp::gelu_tanh: return 0.5f * x * (1.f + std::tanh(gelu_inner(x)));
    case UnaryOp::gelu_erf: return 0.5f * x * std::erfc(-0.7071067812f * x);
    default: return x;
  }
}

UAM_HD inline float unary_slope(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::neg: return -1.f;
    case UnaryOp::abs: return x > 0.f ? 1.f : x < 0.f ? -1.f : x;
    case UnaryOp::exp: return std::exp(x);
    case UnaryOp::log: return 1.f / x;
    case UnaryOp::sqrt: return 0.5f / std::sqrt(x);
    case UnaryOp::square: return x + x;
    case UnaryOp::reciprocal: return -1.f / (x * x);
    case UnaryOp::tanh: {
      const float y = std::tanh(x);
      return 1.f - y * y;
    }
    case UnaryOp::sigmoid: return sigmoid_scalar(x) * sigmoid_scalar(-x);
    case UnaryOp::silu: return sigmoid_scalar(x) * (1.f + x * sigmoid_scalar(-x));
    case UnaryOp::softplus: return x == 0.f ? 1.f : sigmoid_scalar(x);
    case UnaryOp::relu: return x > 0.f ? 1.f : x <= 0.f ? 0.f : x;
    case UnaryOp::gelu_tanh: {
      const float t = std::tanh(gelu_inner(x));
      return 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * 0.7978845608f * (1.f + 3.f * 0.044715f * x * x);
    }
    case UnaryOp::gelu_erf: return 0.5f * std::erfc(-0.7071067812f * x) + x * 0.3989422804f * std::exp(-0.5f * x * x);
    default: return 1.f;
  }
}

}  // namespace uam
