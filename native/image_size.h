// The largest image that the kernels on label images take: its coordinates fit 32 bits.
#pragma once
#include <cstdint>
#include <string>

#include "params.h"

namespace uam {

inline void check_image_size(int64_t height, int64_t width) {
  constexpr int64_t limit = (int64_t(1) << 31) - 2;
  if (height > limit || width > limit)
    throw KernelError("UAM_ARGUMENT", "an image must be at most " + std::to_string(limit) + " pixels high and wide, received " +
                                          std::to_string(height) + " x " + std::to_string(width));
}

}  // namespace uam
