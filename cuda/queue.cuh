// The stream of one environment: what binding/ asks (device_queue.h), and what Call needs beyond it.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "device.cuh"
#include "device_queue.h"

namespace uam::cuda {

// Turns a fault into the caller's words; throws.
using Report = std::function<void(int64_t place, int32_t value)>;

class Queue : public DeviceQueue {
 public:
  explicit Queue(int device);
  ~Queue() override;

  void* allocate(int64_t bytes) override;
  void release(void* at) noexcept override;
  void upload(void* to, const void* from, int64_t bytes) override;
  void download(void* to, const void* from, int64_t bytes) override;
  void copy(void* to, const void* from, int64_t bytes) override;
  void fill(void* at, uint32_t pattern, int element_bytes, int64_t count) override;
  void wait() override;
  std::shared_ptr<Arrival> download_later(const void* from, int64_t bytes, std::function<void()> arrived) override;
  int64_t live_bytes() const override { return live_bytes_.load(std::memory_order_relaxed); }

  cudaStream_t stream() const { return stream_; }
  int multiprocessors() const { return multiprocessors_; }
  void use() const;  // makes this the calling thread's device
  // A word that a kernel may report a fault in; looked at whenever somebody waits.
  Fault* new_fault(Report report);

 private:
  class Download;
  struct Watched {
    Fault* word;
    Report report;
    const char* kernel;
    void look_at(Fault found) const;
  };
  std::vector<Watched> take_watched();
  void report_faults();
  void* staging(int64_t bytes);

  int device_, multiprocessors_ = 1;
  cudaStream_t stream_ = nullptr;
  std::atomic<int64_t> live_bytes_{0};
  std::mutex mutex_;  // of everything below
  std::vector<Watched> watched_;
  // Uploads go through a pinned ring of two halves: the driver reads them whenever it comes to them.
  char* ring_ = nullptr;
  int64_t ring_used_ = 0;
  int half_ = 0;
  cudaEvent_t half_done_[2] = {nullptr, nullptr};
  // Sizes, for live_bytes.
  struct Sizes;
  std::unique_ptr<Sizes> sizes_;
};

Queue& queue();  // of the environment that called the running kernel

}  // namespace uam::cuda
