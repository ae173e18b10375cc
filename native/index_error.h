// The error for an index that a kernel read from an array and must not use.
#pragma once
#include <cstdint>
#include <string>

#include "params.h"

namespace uam {

// "<array>[at] must be from 0 to limit - 1<, or ...>, received value"
[[noreturn]] inline void reject_index(const char* array, int64_t at, int64_t value, int64_t limit, const char* alternative = "") {
  throw KernelError("UAM_ARGUMENT", std::string(array) + "[" + std::to_string(at) + "] must be from 0 to " + std::to_string(limit - 1) +
                                        alternative + ", received " + std::to_string(value));
}

}  // namespace uam
