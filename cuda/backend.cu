// The CUDA column of kernels.def, and whether this machine can use it. The runtime is linked statically: without a
// driver the addon loads all the same, and the runtime's answer to the first question says why there is no device.
#include "backend.h"

#include "device_queue.h"
#include "device.cuh"

#define UAM_IF_0(text)
#define UAM_IF_1(text) text

namespace uam {

namespace cuda {
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA) UAM_IF_##ON_CUDA(void name(const Params&);)
#include "kernels.def"
}  // namespace cuda

static cudaError_t count_devices(int& count) {
  count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();  // asking is no failure
  return status;
}

const Backend* cuda_backend() {
  static const Backend table = [] {
    Backend backend;
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA) UAM_IF_##ON_CUDA(backend.name = cuda::name;)
#include "kernels.def"
    return backend;
  }();
  int count = 0;
  return count_devices(count) == cudaSuccess && count > 0 ? &table : nullptr;
}

std::string cuda_status() {
  int count = 0;
  if (const cudaError_t status = count_devices(count); status != cudaSuccess)
    return std::string("no CUDA device: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (count == 0) return "no CUDA device: the driver lists none";
  int device = 0;
  cudaDeviceProp card;
  cudaError_t status = cudaGetDevice(&device);
  if (status == cudaSuccess) status = cudaGetDeviceProperties(&card, device);
  if (status != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  return std::string("ready: ") + card.name + ", compute capability " + std::to_string(card.major) + "." + std::to_string(card.minor) +
         ", " + std::to_string(card.totalGlobalMem >> 20) + " MiB";
}

}  // namespace uam
