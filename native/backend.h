// The kernel x device table, expanded from kernels.def.
#pragma once
#include <string>

#include "kernels.def"

namespace uam {

struct Backend {
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA) void (*name)(const Params&) = nullptr;
#include "kernels.def"
};

const Backend& cpu_backend();
const Backend* cuda_backend();  // nullptr: not built, or no device
std::string cuda_status();      // "ready: <card>", or why there is no CUDA device, in the driver's words

}  // namespace uam
