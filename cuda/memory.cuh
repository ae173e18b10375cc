// Device memory for one call, and what becomes of CUDA's errors.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "params.h"

namespace uam::cuda {

// Throws KernelError UAM_DEVICE with the driver's words; `what` says what was tried.
void check(cudaError_t status, const char* what);

// The host array of a contract, brought to the device for the length of one call. Tensors live in host memory for
// now; once they can live on the device, a kernel receives device pointers and this staging is left out.
template <class T> class Staged {
 public:
  explicit Staged(const In<T>& in) : size_(in.size), host_(nullptr) {
    allocate();
    if (size_ > 0) check(cudaMemcpyAsync(device_, in.data, bytes(), cudaMemcpyHostToDevice, cudaStreamPerThread), "copying to the device");
  }
  explicit Staged(const Out<T>& out) : size_(out.size), host_(out.data) { allocate(); }
  ~Staged() { cudaFree(device_); }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;

  T* data() const { return device_; }

  // Waits for the kernel and brings the result home.
  void finish() {
    if (size_ > 0) check(cudaMemcpyAsync(host_, device_, bytes(), cudaMemcpyDeviceToHost, cudaStreamPerThread), "copying from the device");
    check(cudaStreamSynchronize(cudaStreamPerThread), "running the kernel");
  }

 private:
  size_t bytes() const { return size_t(size_) * sizeof(T); }
  void allocate() {
    if (size_ > 0) check(cudaMalloc(&device_, bytes()), "allocating device memory");
  }

  T* device_ = nullptr;
  int64_t size_;
  T* host_;
};

}  // namespace uam::cuda
