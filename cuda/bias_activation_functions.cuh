// The activations of activation.h and their slopes, one number at a time, in the forms that stay stable for any argument
// (native/activation_loops.h has the same for the CPU's vectors).
#pragma once
#include "activation.h"
#include "device.cuh"
#include "kernels/unary.h"

namespace uam::cuda {

// gelu_tanh is x sigmoid(x (a + b x^2)), since (1 + tanh(u)) / 2 = sigmoid(2u)
inline constexpr float kGeluA = 1.5957691216057308f;  // 2 sqrt(2 / pi)
inline constexpr float kGeluB = 0.07135481282553f;    // 0.044715 a

__device__ inline float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::relu: return x < 0.f ? 0.f : x;
    case Activation::sigmoid: return sigmoid_scalar(x);
    case Activation::tanh: return tanhf(x);
    case Activation::silu: return x / (1.f + expf(-x));
    case Activation::softplus: return softplus_scalar(x);
    case Activation::gelu_tanh: return x / (1.f + expf(-x * fmaf(kGeluB, x * x, kGeluA)));
    default: return x;
  }
}

__device__ inline float activation_slope(Activation activation, float x) {
  switch (activation) {
    case Activation::relu: return x > 0.f ? 1.f : x * 0.f;
    case Activation::sigmoid: return sigmoid_scalar(x) * sigmoid_scalar(-x);
    case Activation::tanh: {
      const float y = tanhf(x);
      return fmaf(-y, y, 1.f);
    }
    case Activation::silu: return sigmoid_scalar(x) * fmaf(x, sigmoid_scalar(-x), 1.f);
    case Activation::softplus: return sigmoid_scalar(x);
    case Activation::gelu_tanh: {
      const float squared = fminf(1e20f, x * x);  // past any effect, short of infinity
      const float u2 = x * fmaf(kGeluB, squared, kGeluA);
      return fmaf(x * sigmoid_scalar(u2) * sigmoid_scalar(-u2), fmaf(3.f * kGeluB, squared, kGeluA), sigmoid_scalar(u2));
    }
    default: return 1.f;
  }
}

}  // namespace uam::cuda
