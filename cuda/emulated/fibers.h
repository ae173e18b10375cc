// A block of CUDA threads on one CPU thread: each CUDA thread is a fiber that runs until it meets a barrier, a shuffle or its
// end. What this finds, and a run on a card may hide:
// - a missing barrier: between two of them the threads run one after another, in odd blocks from the last to the first, so a
//   value that another thread has yet to write (or has already overwritten) is read wrong every time;
// - shared memory that is read before it is written: it holds NaN (0xff) when a block starts;
// - memory beyond an array: device memory ends at a page that may not be touched, and its last bytes are checked when freed;
// - barriers that not every thread reaches, and exchanges with lanes that are not there: the process ends with a message.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

struct dim3;

namespace uam::emulated {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

struct Here {
  Index thread, block, block_size, grid;
};
extern thread_local Here here;

// Runs body() for every thread of every block. `shared` bytes of dynamic shared memory.
void run(Index grid, Index block_size, size_t shared, const std::function<void()>& body);

void block_barrier();
int block_or(int value);
int block_count(int value);
void warp_barrier(unsigned mask);
unsigned lane();
unsigned ballot(unsigned mask, bool predicate);
// Gives `value` (8 bytes at most) to the lanes of `mask`, and returns that of lane `from`.
uint64_t exchange_bits(unsigned mask, uint64_t value, int from);
template <class T> T exchange(unsigned mask, T value, int from) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange_bits(mask, bits, from);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
// What every lane of the warp has put in: `bytes` of each, lane by lane. For instructions of a whole warp (mma).
const unsigned char* gather(const void* own, size_t bytes);

// Copies that are made only when somebody waits for them: reading the target too early finds what was there before.
void copy_async(void* to, const void* from, size_t bytes);  // from null: zeros
void copy_async_commit();
void copy_async_wait(size_t pending);

void* dynamic_shared();
// The block's copy of a shared variable; `key` is the same for every thread.
void* shared(const void* key, size_t bytes, size_t alignment);

}  // namespace uam::emulated
