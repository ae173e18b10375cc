// The activations that products end in, so that their results need not pass through memory once more.
#pragma once
#include <cstdint>

namespace uam {

// The order is the contract: src/ops/activation.ts lists the same names.
enum class Activation : int32_t { none, relu, sigmoid, tanh, silu, softplus, gelu_tanh, count };

}  // namespace uam
