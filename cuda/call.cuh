// One call of a kernel, as its host side sees it:
//
//   void softmax_fwd(const SoftmaxFwd& p) {
//     Call call;
//     const float* x = call.in(p.x);
//     float* out = call.out(p.out);
//     call.launch({blocks, threads}, softmax_fwd_kernel, p.axis, p.inner, x, out);
//     call.finish();
//   }
//
// Arrays that live on the card are used where they are, and the call returns when its kernels are enqueued. Arrays of the host
// (tests, callKernel) are copied there, and finish() waits and brings the results home.
#pragma once
#include <algorithm>
#include <vector>

#include "queue.cuh"

namespace uam::cuda {

// How a kernel is spread: blocks of threads, with so many bytes of dynamic shared memory.
struct Grid {
  dim3 blocks;
  dim3 threads;
  size_t shared = 0;
};

class Call {
 public:
  Call() : queue_(queue()) { queue_.use(); }
  ~Call() {
    for (void* at : owned_) queue_.release(at);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // An array that kernels read; null where an optional one is absent.
  template <class T> const T* in(const In<T>& in) { return !in ? nullptr : in.on_device ? in.data : upload(in.data, in.size); }

  // An array that kernels write throughout.
  template <class T> T* out(const Out<T>& out) { return brought(out, false); }

  // An array that kernels read and write, or write in part.
  template <class T> T* inout(const Out<T>& out) { return brought(out, true); }

  // A small table made on the host: it may change as soon as this returns.
  template <class T> const T* upload(const T* table, int64_t size) {
    T* at = scratch<T>(size);
    queue_.upload(at, table, size * int64_t(sizeof(T)));
    return at;
  }
  template <class T> const T* upload(const std::vector<T>& table) { return upload(table.data(), int64_t(table.size())); }
  // Kernels whose offsets may come from the card (offsets.on_device) trust nothing in them.
  const int32_t* upload(const Offsets& offsets) { return offsets.on_device ? offsets.on_device : upload(offsets.values); }

  // Working memory until the call ends; its contents are not set.
  template <class T> T* scratch(int64_t size) {
    owned_.reserve(owned_.size() + 1);
    owned_.push_back(queue_.allocate(std::max<int64_t>(size, 1) * int64_t(sizeof(T))));
    return static_cast<T*>(owned_.back());
  }
  template <class T> T* zeroed(int64_t size) {
    T* at = scratch<T>(size);
    queue_.fill(at, 0, 1, size * int64_t(sizeof(T)));
    return at;
  }

  // Runs kernel(args...) on the card. A grid without blocks runs nothing.
  template <class... Params, class... Args> void launch(const Grid& grid, void (*kernel)(Params...), Args... args) {
    if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
#ifdef UAM_CUDA_EMULATED
    emulated::run({grid.blocks.x, grid.blocks.y, grid.blocks.z}, {grid.threads.x, grid.threads.y, grid.threads.z}, grid.shared,
                  [=] { kernel(args...); });
#else
    if (grid.shared > 48 * 1024)
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(grid.shared)), "asking for shared memory");
    // clang-format off
    kernel<<<grid.blocks, grid.threads, grid.shared, queue_.stream()>>>(args...);
    // clang-format on
    check(cudaGetLastError(), "launching the kernel");
#endif
  }

  // The same for n elements: 256 threads a block, a grid-stride loop (first_element, element_step) inside the kernel.
  template <class... Params, class... Args> void launch_elements(int64_t n, void (*kernel)(Params...), Args... args) {
    const int64_t most = int64_t(queue_.multiprocessors()) * 32;  // enough to fill the card; the loop covers the rest
    launch({unsigned(std::min(ceil_div<int64_t>(n, 256), most)), 256}, kernel, args...);
  }

  // A word for report_fault(): `report(place, value)` throws in the caller's words, here or when somebody waits for the card.
  Fault* fault(Report report) { return queue_.new_fault(std::move(report)); }

  int multiprocessors() const { return queue_.multiprocessors(); }

  // The last thing a host side does.
  void finish() {
    for (const HostArray& array : results_) queue_.download(array.host, array.device, array.bytes);
  }

 private:
  struct HostArray {
    void* host;
    const void* device;
    int64_t bytes;
  };

  template <class T> T* brought(const Out<T>& out, bool read) {
    if (!out) return nullptr;
    if (out.on_device) return out.data;
    T* at = scratch<T>(out.size);
    const int64_t bytes = out.size * int64_t(sizeof(T));
    if (read) queue_.upload(at, out.data, bytes);
    results_.push_back({out.data, at, bytes});
    return at;
  }

  Queue& queue_;
  std::vector<void*> owned_;
  std::vector<HostArray> results_;
};

}  // namespace uam::cuda
