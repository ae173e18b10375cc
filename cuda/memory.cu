#include "memory.cuh"

namespace uam::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the error has been taken; the next call starts clean
  throw KernelError("UAM_DEVICE", std::string(what) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")");
}

}  // namespace uam::cuda
