#include "parallel.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "params.h"

namespace uam {

namespace {

// One parallel_for in flight. It lives on the caller's stack: the caller leaves only when no worker is inside.
struct Job {
  BlockFn fn;
  void* context;
  int64_t n, grain, blocks;
  const int32_t* cancel;
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  int inside = 0;  // workers running blocks of this job; guarded by the pool's mutex
  std::mutex failure_mutex;
  std::exception_ptr failure;

  void fail(std::exception_ptr error) {
    std::lock_guard lock(failure_mutex);
    if (!failure) failure = error;
    stop.store(true, std::memory_order_relaxed);
  }

  void run_blocks() {
    for (;;) {
      if (stop.load(std::memory_order_relaxed)) return;
      const int64_t block = next.fetch_add(1, std::memory_order_relaxed);
      if (block >= blocks) return;
      try {
        if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED) != 0)
          throw KernelError("UAM_ABORTED", "the call was aborted by its signal");
        fn(context, block * grain, std::min(n, (block + 1) * grain));
      } catch (...) {
        fail(std::current_exception());
      }
    }
  }
};

// Tells the processor that this is a spin, where it can be told.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

thread_local Pool* current_pool = nullptr;
thread_local const int32_t* current_cancel = nullptr;
thread_local bool inside_block = false;

}  // namespace

class Pool {
 public:
  explicit Pool(int threads) { resize(threads); }

  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  // Workers are only ever added; those beyond the wished number sleep.
  void resize(int threads) {
    std::lock_guard lock(mutex_);
    while (int(workers_.size()) < threads - 1) {
      const int index = int(workers_.size());
      workers_.emplace_back([this, index] { work(index); });
    }
    threads_.store(threads, std::memory_order_relaxed);
    wake_.notify_all();
  }

  void run(Job& job) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(&job);
      pending_.store(int(jobs_.size()), std::memory_order_release);
    }
    const int64_t helpers = std::min<int64_t>(job.blocks - 1, threads() - 1);
    if (helpers > 1) wake_.notify_all();
    else wake_.notify_one();
    inside_block = true;
    job.run_blocks();
    inside_block = false;
    std::unique_lock lock(mutex_);
    jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    pending_.store(int(jobs_.size()), std::memory_order_release);
    done_.wait(lock, [&] { return job.inside == 0; });
  }

 private:
  Job* next_job() {
    for (Job* job : jobs_)
      if (job->next.load(std::memory_order_relaxed) < job->blocks && !job->stop.load(std::memory_order_relaxed)) return job;
    return nullptr;
  }

  void work(int index) {
    inside_block = true;  // a kernel called from a block never waits for other workers
    for (;;) {
      // Kernels come in bursts: a short spin saves the wake-up between two of them.
      for (int i = 0; i < 4000 && pending_.load(std::memory_order_acquire) == 0; ++i) pause();
      std::unique_lock lock(mutex_);
      Job* job = nullptr;
      wake_.wait(lock, [&] { return closing_ || (index < threads() - 1 && (job = next_job())); });
      if (closing_) return;
      ++job->inside;
      lock.unlock();
      job->run_blocks();
      lock.lock();
      if (--job->inside == 0) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Job*> jobs_;
  std::vector<std::thread> workers_;
  std::atomic<int> threads_{1};
  std::atomic<int> pending_{0};
  bool closing_ = false;
};

std::shared_ptr<Pool> acquire_pool() {
  static std::mutex mutex;
  static std::weak_ptr<Pool> shared;
  std::lock_guard lock(mutex);
  auto pool = shared.lock();
  if (!pool) shared = pool = std::make_shared<Pool>(default_threads());
  return pool;
}

int pool_threads(const Pool& pool) { return pool.threads(); }

void set_pool_threads(Pool& pool, int threads) {
  if (threads < 1 || threads > 1024)
    throw KernelError("UAM_ARGUMENT", "threads must be an integer from 1 to 1024, received " + std::to_string(threads));
  pool.resize(threads);
}

RunScope::RunScope(Pool* pool, const int32_t* cancel) : previous_pool_(current_pool), previous_cancel_(current_cancel) {
  current_pool = pool;
  current_cancel = cancel;
}

RunScope::~RunScope() {
  current_pool = previous_pool_;
  current_cancel = previous_cancel_;
}

void parallel_blocks(int64_t n, int64_t grain, BlockFn fn, void* context) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  Job job{fn, context, n, grain, (n + grain - 1) / grain, current_cancel};
  const bool shared = current_pool && !inside_block && job.blocks > 1 && current_pool->threads() > 1;
  if (shared) current_pool->run(job);
  else job.run_blocks();
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace uam
