// Device memory of the emulation. Each allocation ends (but for its alignment to 256 bytes) at a page that may not be touched,
// and the bytes in between, which hold NaN as fresh memory does, are checked when it is freed.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "cuda_runtime.h"

namespace {

constexpr size_t kAlignment = 256, kPage = 4096;
constexpr unsigned char kCanary = 0xff;

struct Allocation {
  char* pages;
  size_t mapped, bytes;
};
std::mutex mutex;
std::unordered_map<void*, Allocation> live;

}  // namespace

cudaError_t cudaMalloc(void** at, size_t bytes) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment, inner = (rounded + kPage - 1) / kPage * kPage;
  void* pages = mmap(nullptr, inner + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return cudaErrorMemoryAllocation;
  mprotect(static_cast<char*>(pages) + inner, kPage, PROT_NONE);
  char* start = static_cast<char*>(pages) + (inner - rounded);
  std::memset(start, 0xff, bytes);
  std::memset(start + bytes, kCanary, rounded - bytes);
  std::lock_guard lock(mutex);
  live[start] = {static_cast<char*>(pages), inner + kPage, bytes};
  *at = start;
  return cudaSuccess;
}

cudaError_t cudaFree(void* at) {
  if (!at) return cudaSuccess;
  Allocation allocation;
  {
    std::lock_guard lock(mutex);
    const auto found = live.find(at);
    if (found == live.end()) return cudaErrorInvalidValue;
    allocation = found->second;
    live.erase(found);
  }
  const auto* tail = static_cast<unsigned char*>(at) + allocation.bytes;
  for (size_t i = 0; i < (kAlignment - allocation.bytes % kAlignment) % kAlignment; ++i)
    if (tail[i] != kCanary) {
      std::fprintf(stderr, "emulated CUDA: a kernel wrote %zu bytes past the end of an array of %zu bytes\n", i, allocation.bytes);
      std::abort();
    }
  munmap(allocation.pages, allocation.mapped);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t) {
  std::memset(at, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* card, int device) {
  if (device != 0) return cudaErrorInvalidDevice;
  *card = {"emulated CUDA device (kernels on the CPU, for tests)", 8, 0, 4, size_t(1) << 33, 227 * 1024};
  return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    default: return "invalid argument";
  }
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    default: return "cudaErrorInvalidValue";
  }
}
