// Device memory for one call, and what becomes of CUDA's errors.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "params.h"

namespace uam::cuda {

// Throws KernelError UAM_DEVICE with the driver's words; `what` says what was tried.
void check(cudaError_t status, const char* what);

// The host array of a contract, brought to the device for the length of one call. Tensors live in host memory for
// now; once they can live on the device, a kernel receives device pointers and this staging is left out.
template <class T> class Staged {
 public:
  explicit Staged(const In<T>& in) : size_(in.size), host_(nullptr), device_(allocate(in.size)) {
    if (size_ > 0) check(cudaMemcpyAsync(data(), in.data, bytes(), cudaMemcpyHostToDevice, cudaStreamPerThread), "copying to the device");
  }
  explicit Staged(const Out<T>& out) : size_(out.size), host_(out.data), device_(allocate(out.size)) {}

  T* data() const { return device_.get(); }

  // Waits for the kernel and brings its result home.
  void finish() {
    if (size_ > 0) check(cudaMemcpyAsync(host_, data(), bytes(), cudaMemcpyDeviceToHost, cudaStreamPerThread), "copying from the device");
    check(cudaStreamSynchronize(cudaStreamPerThread), "running the kernel");
  }

 private:
  struct Free {
    void operator()(T* pointer) const { cudaFree(pointer); }
  };

  static T* allocate(int64_t size) {
    T* pointer = nullptr;
    if (size > 0) check(cudaMalloc(&pointer, size_t(size) * sizeof(T)), "allocating device memory");
    return pointer;
  }
  size_t bytes() const { return size_t(size_) * sizeof(T); }

  int64_t size_;
  T* host_;
  std::unique_ptr<T, Free> device_;
};

}  // namespace uam::cuda
