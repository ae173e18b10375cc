#include "backend.h"

namespace uam {

namespace cpu {
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA) void name(const Params&);
#include "kernels.def"
}  // namespace cpu

const Backend& cpu_backend() {
  static const Backend table = {
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA) .name = cpu::name,
#include "kernels.def"
  };
  return table;
}

#ifndef UAM_CUDA
const Backend* cuda_backend() { return nullptr; }
std::string cuda_status() { return "no CUDA device: this addon was built without CUDA (npm run build:cuda builds it in)"; }
#endif

}  // namespace uam
