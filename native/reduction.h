// What a loss does with its elements. The order is the contract: src/ops/reduction.ts lists the same names.
#pragma once
#include <cstdint>

namespace uam {

enum class Reduction : int32_t { none, mean, sum, count };

}  // namespace uam
