#include "queue.cuh"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace uam::cuda {

namespace {
constexpr int64_t kHalf = 4 << 20, kPiece = 1 << 20;  // bytes of the pinned ring, and the most that one copy takes of it
std::atomic<int> selected_device{0};
}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the error has been taken; the next call starts clean
  const char* code = status == cudaErrorMemoryAllocation ? "UAM_MEMORY" : "UAM_DEVICE";
  throw KernelError(code, std::string(what) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")");
}

struct Queue::Sizes {
  std::unordered_map<void*, int64_t> of;
};

Queue::Queue(int device) : device_(device), sizes_(std::make_unique<Sizes>()) {
  use();
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device), "asking the card");
  // Freed memory stays with the process: a training step in steady state asks the driver for nothing.
  cudaMemPool_t pool = nullptr;
  uint64_t everything = ~uint64_t(0);
  check(cudaDeviceGetDefaultMemPool(&pool, device), "asking for the memory pool");
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &everything), "setting up the memory pool");
  void* ring = nullptr;
  check(cudaMallocHost(&ring, 2 * kHalf), "allocating pinned memory");
  ring_ = static_cast<char*>(ring);
  for (cudaEvent_t& event : half_done_) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
}

Queue::~Queue() {
  cudaSetDevice(device_);
  cudaStreamSynchronize(stream_);
  for (const Watched& watched : watched_) cudaFreeAsync(watched.word, stream_);
  for (const auto& [at, bytes] : sizes_->of) cudaFreeAsync(at, stream_);
  cudaStreamSynchronize(stream_);
  for (cudaEvent_t event : half_done_) cudaEventDestroy(event);
  cudaFreeHost(ring_);
  cudaStreamDestroy(stream_);
}

void Queue::use() const { check(cudaSetDevice(device_), "choosing the card"); }

void* Queue::allocate(int64_t bytes) {
  use();
  void* at = nullptr;
  if (cudaMallocAsync(&at, size_t(bytes), stream_) == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw KernelError("UAM_MEMORY", "the card has no room for " + std::to_string(bytes) + " bytes more (this process holds " +
                                        std::to_string(live_bytes()) + "); use smaller batches, or dispose() of tensors earlier");
  }
  std::lock_guard lock(mutex_);
  sizes_->of[at] = bytes;
  live_bytes_ += bytes;
  return at;
}

void Queue::release(void* at) noexcept {
  if (!at) return;
  {
    std::lock_guard lock(mutex_);
    const auto found = sizes_->of.find(at);
    if (found == sizes_->of.end()) return;
    live_bytes_ -= found->second;
    sizes_->of.erase(found);
  }
  cudaSetDevice(device_);
  cudaFreeAsync(at, stream_);
}

// Room in the pinned ring, once the card has read what lay there. The caller holds the mutex.
void* Queue::staging(int64_t bytes) {
  const int64_t rounded = ceil_div<int64_t>(bytes, 256) * 256;
  if (ring_used_ + rounded > kHalf) {
    check(cudaEventRecord(half_done_[half_], stream_), "marking the ring");
    half_ ^= 1;
    ring_used_ = 0;
    check(cudaEventSynchronize(half_done_[half_]), "waiting for the ring");  // an event never recorded is done
  }
  void* at = ring_ + half_ * kHalf + ring_used_;
  ring_used_ += rounded;
  return at;
}

void Queue::upload(void* to, const void* from, int64_t bytes) {
  use();
  std::lock_guard lock(mutex_);
  // Piece by piece through pinned memory: a copy from anywhere else would wait for the kernels before it.
  for (int64_t at = 0; at < bytes; at += kPiece) {
    const auto piece = size_t(std::min(kPiece, bytes - at));
    void* staged = staging(int64_t(piece));
    std::memcpy(staged, static_cast<const char*>(from) + at, piece);
    check(cudaMemcpyAsync(static_cast<char*>(to) + at, staged, piece, cudaMemcpyHostToDevice, stream_), "copying to the card");
  }
}

void Queue::download(void* to, const void* from, int64_t bytes) {
  use();
  if (bytes > 0) check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToHost, stream_), "copying from the card");
  wait();
}

void Queue::copy(void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return;
  use();
  check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToDevice, stream_), "copying on the card");
}

static __global__ void fill_words_kernel(int64_t n, uint32_t* at, uint32_t value) {
  for (int64_t i = first_element(); i < n; i += element_step()) at[i] = value;
}

void Queue::fill(void* at, uint32_t pattern, int element_bytes, int64_t count) {
  if (count == 0) return;
  use();
  if (element_bytes == 1 || pattern == 0) {
    check(cudaMemsetAsync(at, int(pattern & 0xff), size_t(count * element_bytes), stream_), "filling");
    return;
  }
  const auto blocks = unsigned(std::min<int64_t>(ceil_div<int64_t>(count, 256), 4096));
#ifdef UAM_CUDA_EMULATED
  emulated::run({blocks, 1, 1}, {256, 1, 1}, 0, [=] { fill_words_kernel(count, static_cast<uint32_t*>(at), pattern); });
#else
  fill_words_kernel<<<blocks, 256, 0, stream_>>>(count, static_cast<uint32_t*>(at), pattern);
  check(cudaGetLastError(), "filling");
#endif
}

void Queue::wait() {
  use();
  check(cudaStreamSynchronize(stream_), "running kernels");
  report_faults();
}

Fault* Queue::new_fault(Report report) {
  void* word = nullptr;
  use();
  check(cudaMallocAsync(&word, sizeof(Fault), stream_), "allocating");
  check(cudaMemsetAsync(word, 0xff, sizeof(Fault), stream_), "preparing");
  std::lock_guard lock(mutex_);
  watched_.push_back({static_cast<Fault*>(word), std::move(report), current_kernel()});
  return static_cast<Fault*>(word);
}

std::vector<Queue::Watched> Queue::take_watched() {
  std::lock_guard lock(mutex_);
  std::vector<Watched> watched;
  watched.swap(watched_);
  return watched;
}

// Within the kernel's own call the binding says its name; when somebody else waits, it is said here.
void Queue::Watched::look_at(Fault found) const {
  if (found == kNoFault) return;
  try {
    report(int64_t(found >> 32), int32_t(uint32_t(found)));
  } catch (const KernelError& error) {
    if (!kernel || current_kernel()) throw;
    throw KernelError(error.code, std::string(kernel) + ": " + error.what());
  }
}

// The earliest call that found something wrong speaks for all: later ones may have worked on what it left.
void Queue::report_faults() {
  const std::vector<Watched> watched = take_watched();
  if (watched.empty()) return;
  std::vector<Fault> words(watched.size());
  for (size_t i = 0; i < watched.size(); ++i) {
    check(cudaMemcpyAsync(&words[i], watched[i].word, sizeof(Fault), cudaMemcpyDeviceToHost, stream_), "reading what kernels found");
    cudaFreeAsync(watched[i].word, stream_);
  }
  check(cudaStreamSynchronize(stream_), "reading what kernels found");
  for (size_t i = 0; i < watched.size(); ++i) watched[i].look_at(words[i]);
}

// A copy on its way into pinned memory, with the faults known by then behind it.
class Queue::Download : public DeviceQueue::Arrival {
 public:
  Download(Queue& queue, const void* from, int64_t bytes, std::function<void()> arrived)
      : watched_(queue.take_watched()), arrived_(std::move(arrived)), words_at_(ceil_div<int64_t>(bytes, 256) * 256) {
    check(cudaMallocHost(&pinned_, size_t(words_at_) + watched_.size() * sizeof(Fault) + 1), "allocating pinned memory");
    const cudaStream_t stream = queue.stream();
    if (bytes > 0) cuda::check(cudaMemcpyAsync(pinned_, from, size_t(bytes), cudaMemcpyDeviceToHost, stream), "copying from the card");
    for (size_t i = 0; i < watched_.size(); ++i) {
      cuda::check(cudaMemcpyAsync(words() + i, watched_[i].word, sizeof(Fault), cudaMemcpyDeviceToHost, stream), "copying from the card");
      cudaFreeAsync(watched_[i].word, stream);
    }
  }
  ~Download() override { cudaFreeHost(pinned_); }
  const void* data() const override { return pinned_; }
  void check() const override {
    for (size_t i = 0; i < watched_.size(); ++i) watched_[i].look_at(words()[i]);
  }
  void arrived() const { arrived_(); }

 private:
  Fault* words() const { return reinterpret_cast<Fault*>(static_cast<char*>(pinned_) + words_at_); }
  static void check(cudaError_t status, const char* what) { cuda::check(status, what); }

  std::vector<Watched> watched_;
  std::function<void()> arrived_;
  int64_t words_at_;
  void* pinned_ = nullptr;
};

std::shared_ptr<DeviceQueue::Arrival> Queue::download_later(const void* from, int64_t bytes, std::function<void()> arrived) {
  use();
  auto download = std::make_shared<Download>(*this, from, bytes, std::move(arrived));
  // The driver's thread lets go of its share after arrived(), while the caller still holds one: it never frees pinned memory.
  auto share = std::make_unique<std::shared_ptr<Download>>(download);
  check(cudaLaunchHostFunc(
            stream_,
            [](void* context) {
              const std::unique_ptr<std::shared_ptr<Download>> share(static_cast<std::shared_ptr<Download>*>(context));
              (*share)->arrived();
            },
            share.get()),
        "waiting for the copy");
  share.release();
  return download;
}

Queue& queue() {
  auto* current = static_cast<Queue*>(current_queue());
  if (!current) throw KernelError("UAM_DEVICE", "there is no CUDA queue on this thread");
  return *current;
}

}  // namespace uam::cuda

namespace uam {

std::shared_ptr<DeviceQueue> make_cuda_queue() {
  int count = 0;
  cuda::check(cudaGetDeviceCount(&count), "no CUDA device");
  const int device = cuda::selected_device.load();
  if (device >= count)
    throw KernelError("UAM_DEVICE", "there is no CUDA device " + std::to_string(device) + ": the driver lists " + std::to_string(count));
  return std::make_shared<cuda::Queue>(device);
}

void select_cuda_device(int index) { cuda::selected_device = index; }

CudaCard cuda_card() {
  const int device = cuda::selected_device.load();
  cuda::check(cudaSetDevice(device), "choosing the card");
  cudaDeviceProp properties;
  cuda::check(cudaGetDeviceProperties(&properties, device), "asking the card");
  size_t free = 0, total = 0;
  cuda::check(cudaMemGetInfo(&free, &total), "asking for its memory");
  CudaCard card{properties.name, UAM_CUDA_ARCHITECTURES, device, properties.major, properties.minor, 0, 0, int64_t(total), int64_t(free)};
  cuda::check(cudaDriverGetVersion(&card.driver), "asking for the driver's version");
  cuda::check(cudaRuntimeGetVersion(&card.runtime), "asking for the runtime's version");
  return card;
}

}  // namespace uam
