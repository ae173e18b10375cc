// What the binding asks of a device with memory of its own: work in order on one card. Implemented in cuda/; an addon without
// CUDA, or a machine without a card, has none. Kernels find the queue of the environment that called them by current_queue().
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "params.h"

namespace uam {

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  // Every call below is enqueued behind those before it; what says "waits" returns when all of them have run.
  virtual void* allocate(int64_t bytes) = 0;  // KernelError UAM_MEMORY where the card has no more
  virtual void release(void* at) noexcept = 0;
  virtual void upload(void* to, const void* from, int64_t bytes) = 0;    // `from` may change when it returns
  virtual void download(void* to, const void* from, int64_t bytes) = 0;  // waits, and reports what kernels found wrong
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;
  virtual void fill(void* at, uint32_t pattern, int element_bytes, int64_t count) = 0;  // elements of 1 or 4 bytes
  virtual void wait() = 0;                                                              // waits, and reports
  // A copy that arrives by itself: arrived() is called on a thread of the driver, and may ask the card nothing.
  class Arrival {
   public:
    virtual ~Arrival() = default;
    virtual const void* data() const = 0;  // once it has arrived
    virtual void check() const = 0;        // throws what kernels before the copy found wrong
  };
  virtual std::shared_ptr<Arrival> download_later(const void* from, int64_t bytes, std::function<void()> arrived) = 0;

  virtual int64_t live_bytes() const = 0;  // in arrays that are not released
};

// KernelError UAM_DEVICE, in the driver's words, where there is no such card.
std::shared_ptr<DeviceQueue> make_cuda_queue();
void select_cuda_device(int index);  // the card that queues made from now on use
struct CudaCard {
  std::string name, architectures;  // compiled in: "8.0, 9.0, PTX 8.0"
  int index, major, minor, driver, runtime;
  int64_t memory, free;
};
CudaCard cuda_card();

// How products of matrices are rounded on a card: float32 multiplies exactly (FMA); the others round the factors for the tensor
// cores, and add up in float32. The CPU heeds it not.
enum class MatmulPrecision : int32_t { float32, tf32, bf16 };
MatmulPrecision matmul_precision();
void set_matmul_precision(MatmulPrecision precision);

DeviceQueue* current_queue();  // of this thread; null outside a kernel call

const char* current_kernel();  // the name of the kernel whose host side runs on this thread; null outside

class QueueScope {
 public:
  QueueScope(DeviceQueue* queue, const char* kernel);
  ~QueueScope();
  QueueScope(const QueueScope&) = delete;
  QueueScope& operator=(const QueueScope&) = delete;

 private:
  DeviceQueue* previous_;
  const char* previous_kernel_;
};

}  // namespace uam
