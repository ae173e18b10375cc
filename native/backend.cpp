#include "backend.h"

#include <atomic>

#include "device_queue.h"

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

static std::atomic<MatmulPrecision> precision{MatmulPrecision::float32};
MatmulPrecision matmul_precision() { return precision.load(std::memory_order_relaxed); }
void set_matmul_precision(MatmulPrecision wanted) { precision.store(wanted, std::memory_order_relaxed); }

static thread_local DeviceQueue* current = nullptr;
DeviceQueue* current_queue() { return current; }
static thread_local const char* running = nullptr;
const char* current_kernel() { return running; }
QueueScope::QueueScope(DeviceQueue* queue, const char* kernel) : previous_(current), previous_kernel_(running) {
  current = queue;
  running = kernel;
}
QueueScope::~QueueScope() {
  current = previous_;
  running = previous_kernel_;
}

#ifndef UAM_CUDA
const Backend* cuda_backend() { return nullptr; }
std::shared_ptr<DeviceQueue> make_cuda_queue() { throw KernelError("UAM_DEVICE", cuda_status()); }
void select_cuda_device(int) {}
CudaCard cuda_card() { throw KernelError("UAM_DEVICE", cuda_status()); }
std::string cuda_status() { return "no CUDA device: this addon was built without CUDA (npm run build:cuda builds it in)"; }
#endif

}  // namespace uam
