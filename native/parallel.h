// One thread pool for the process, shared by every environment that loaded the addon.
//
// parallel_for cuts [0, n) into blocks of `grain` and runs body(begin, end) on each. The cut never depends on
// the number of threads, so results are bit-identical for any thread count as long as blocks write to disjoint
// places and reductions over blocks are done in block order. Nested calls run inline on the calling thread.
// The first exception a block throws is rethrown in the caller; the blocks not yet started are skipped.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace uam {

class Pool;

std::shared_ptr<Pool> acquire_pool();  // the process's pool; its threads end with the last holder
int pool_threads(const Pool& pool);
void set_pool_threads(Pool& pool, int threads);  // 1..1024, else KernelError
int default_threads();                           // UAM_THREADS, else the least of affinity, cgroup quota and SLURM_CPUS_PER_TASK

// Makes `pool` the one that parallel_for uses on this thread, and *cancel (when not null) its stop flag:
// a non-zero value ends the work between blocks with KernelError UAM_ABORTED.
class RunScope {
 public:
  RunScope(Pool* pool, const int32_t* cancel);
  ~RunScope();
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  Pool* previous_pool_;
  const int32_t* previous_cancel_;
};

using BlockFn = void (*)(void* context, int64_t begin, int64_t end);
void parallel_blocks(int64_t n, int64_t grain, BlockFn fn, void* context);

template <class F> void parallel_for(int64_t n, int64_t grain, F&& body) {
  using Body = std::remove_reference_t<F>;
  parallel_blocks(
      n, grain, [](void* context, int64_t begin, int64_t end) { (*static_cast<Body*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace uam
