#include "emulated/fibers.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace uam::emulated {

thread_local Here here;

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "emulated CUDA: %s (block %u, %u, %u; thread %u)\n", what, here.block.x, here.block.y, here.block.z, here.thread.x);
  std::abort();
}

constexpr size_t kStack = 256 * 1024, kShared = 227 * 1024, kMaxThreads = 1024;

// ---- switching stacks ----
#if defined(__x86_64__)
// Saves the registers that a call must preserve on this stack, and goes on where the other stack stopped.
extern "C" void uam_switch_stack(void** save, void* load);
asm(R"(
  .text
  .type uam_switch_stack, @function
uam_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size uam_switch_stack, . - uam_switch_stack
)");
struct Context {
  void* stack_pointer = nullptr;
  void start(char* stack, void (*entry)()) {
    auto* top = reinterpret_cast<uint64_t*>(stack + kStack);
    *--top = 0;  // so that `entry` finds the stack aligned as after a call
    *--top = reinterpret_cast<uint64_t>(entry);
    for (int i = 0; i < 6; ++i) *--top = 0;
    stack_pointer = top;
  }
  void switch_to(Context& other) { uam_switch_stack(&stack_pointer, other.stack_pointer); }
};
#else
struct Context {
  ucontext_t state;
  void start(char* stack, void (*entry)()) {
    getcontext(&state);
    state.uc_stack.ss_sp = stack;
    state.uc_stack.ss_size = kStack;
    state.uc_link = nullptr;
    makecontext(&state, entry, 0);
  }
  void switch_to(Context& other) { swapcontext(&state, &other.state); }
};
#endif

enum class State { ready, at_block_barrier, at_warp_barrier, done };

struct AsyncCopy {
  void* to;
  const void* from;
  size_t bytes;
};

struct Fiber {
  Context context;
  State state = State::done;
  Index thread;
  unsigned mask = 0;          // of the warp barrier it waits at
  int parity = 0;             // exchanges alternate between two slots: the next one may begin before every lane has read
  uint64_t slot[2] = {0, 0};  // what it gives to its warp
  alignas(16) unsigned char wide[2][128];
  bool voted[2] = {false, false};
  size_t ballots = 0;  // taken part in
  std::vector<std::vector<AsyncCopy>> copies;  // groups committed, oldest first, and the open one behind them
};

struct SharedVariable {
  const void* key;
  size_t at, bytes;
};

struct Block {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<char*> stacks;
  Context scheduler;
  const std::function<void()>* body = nullptr;
  size_t threads = 0, current = 0;
  int votes[2] = {0, 0}, vote_parity = 0;
  std::vector<SharedVariable> variables;
  size_t shared_used = 0, dynamic_bytes = 0;
  char* shared_memory = nullptr;
  std::vector<unsigned char> gathered;

  void grow(size_t wanted);
  void run_block(bool backwards);
  void resume(size_t index);
  bool run_warp(size_t base, bool backwards);
  bool release_warp(size_t base);
  void pause(State state) {
    Fiber& fiber = *fibers[current];
    fiber.state = state;
    fiber.context.switch_to(scheduler);
  }
};

thread_local Block block;

void entry() {
  for (;;) {
    (*block.body)();
    block.pause(State::done);
  }
}

void* map(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) die("out of memory for stacks");
  return at;
}

void Block::grow(size_t wanted) {
  if (!shared_memory) shared_memory = static_cast<char*>(map(kShared));
  while (fibers.size() < wanted) {
    stacks.push_back(static_cast<char*>(map(kStack)));
    fibers.push_back(std::make_unique<Fiber>());
    fibers.back()->context.start(stacks.back(), entry);
  }
}

void Block::resume(size_t index) {
  current = index;
  here.thread = fibers[index]->thread;
  scheduler.switch_to(fibers[index]->context);
}

// Lanes wait for those of their mask; lanes that have ended do not count. True where any went on.
bool Block::release_warp(size_t base) {
  bool any = false;
  const size_t lanes = threads - base < 32 ? threads - base : 32;
  for (size_t i = 0; i < lanes; ++i) {
    Fiber& first = *fibers[base + i];
    if (first.state != State::at_warp_barrier) continue;
    bool complete = true;
    for (size_t j = 0; j < lanes; ++j) {
      const Fiber& other = *fibers[base + j];
      if ((first.mask >> j & 1u) == 0 || other.state == State::done) continue;
      complete = complete && other.state == State::at_warp_barrier && other.mask == first.mask;
    }
    if (!complete) continue;
    const unsigned mask = first.mask;
    for (size_t j = 0; j < lanes; ++j)
      if (mask >> j & 1u && fibers[base + j]->state == State::at_warp_barrier) fibers[base + j]->state = State::ready;
    any = true;
  }
  return any;
}

// A warp runs as far as it can alone, through its own exchanges: only barriers of the block keep warps together. True where any
// lane ran.
bool Block::run_warp(size_t base, bool backwards) {
  const size_t lanes = threads - base < 32 ? threads - base : 32;
  bool any = false;
  do {
    for (size_t k = 0; k < lanes; ++k) {
      const size_t i = base + (backwards ? lanes - 1 - k : k);
      if (fibers[i]->state != State::ready) continue;
      resume(i);
      any = true;
    }
  } while (release_warp(base));
  return any;
}

void Block::run_block(bool backwards) {
  std::memset(shared_memory, 0xff, kShared);  // NaN, or an absurd count
  variables.clear();
  shared_used = (dynamic_bytes + 15) / 16 * 16;
  for (size_t i = 0; i < threads; ++i) {
    fibers[i]->state = State::ready;
    fibers[i]->parity = 0;
    fibers[i]->ballots = 0;
    fibers[i]->copies.assign(1, {});
  }
  for (;;) {
    bool ran = false;
    const size_t warps = (threads + 31) / 32;
    for (size_t w = 0; w < warps; ++w) ran |= run_warp((backwards ? warps - 1 - w : w) * 32, backwards);
    if (ran) continue;
    size_t waiting = 0, ended = 0;
    for (size_t i = 0; i < threads; ++i) {
      waiting += fibers[i]->state == State::at_block_barrier;
      ended += fibers[i]->state == State::done;
    }
    if (ended == threads) return;
    if (waiting + ended != threads) die("some lanes wait for others of their warp, which stand at another barrier");
    if (ended != 0) die("some threads have ended while others wait at __syncthreads");
    vote_parity ^= 1;
    votes[vote_parity] = 0;
    for (size_t i = 0; i < threads; ++i) fibers[i]->state = State::ready;
  }
}

}  // namespace

void run(Index grid, Index block_size, size_t shared_bytes, const std::function<void()>& body) {
  const size_t threads = size_t(block_size.x) * block_size.y * block_size.z;
  if (threads == 0 || threads > kMaxThreads) die("a block has 1 to 1024 threads");
  if (shared_bytes > kShared) die("a block has at most 227 KiB of shared memory");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    die("a grid has 1 to 2147483647 x 65535 x 65535 blocks");
  block.grow(threads);
  block.body = &body;
  block.threads = threads;
  block.dynamic_bytes = shared_bytes;
  here.block_size = block_size;
  here.grid = grid;
  for (size_t i = 0; i < threads; ++i) {
    const unsigned rest = unsigned(i);
    block.fibers[i]->thread = {rest % block_size.x, rest / block_size.x % block_size.y, rest / block_size.x / block_size.y};
  }
  bool backwards = false;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x, backwards = !backwards) {
        here.block = {x, y, z};
        block.run_block(backwards);
      }
}

void block_barrier() { block.pause(State::at_block_barrier); }

int block_count(int value) {
  const int parity = block.vote_parity;
  block.votes[parity] += value != 0;
  block_barrier();
  return block.votes[parity];
}
int block_or(int value) { return block_count(value) != 0; }

unsigned lane() { return unsigned(block.current % 32); }

void warp_barrier(unsigned mask) {
  if ((mask >> lane() & 1u) == 0) die("a lane waits at a barrier whose mask leaves it out");
  block.fibers[block.current]->mask = mask;
  block.pause(State::at_warp_barrier);
}

namespace {
// A lane of this warp that takes part in an exchange.
Fiber& neighbour(unsigned mask, int from) {
  const size_t index = block.current / 32 * 32 + size_t(from);
  if (from < 0 || from > 31 || (mask >> from & 1u) == 0 || index >= block.threads) die("a lane asks one that is not in the mask");
  return *block.fibers[index];
}
}  // namespace

uint64_t exchange_bits(unsigned mask, uint64_t value, int from) {
  Fiber& own = *block.fibers[block.current];
  const int parity = own.parity ^= 1;
  own.slot[parity] = value;
  warp_barrier(mask);
  return neighbour(mask, from).slot[parity];
}

unsigned ballot(unsigned mask, bool predicate) {
  Fiber& own = *block.fibers[block.current];
  const int parity = own.parity ^= 1;
  own.voted[parity] = predicate;
  const size_t number = ++own.ballots;
  warp_barrier(mask);
  unsigned votes = 0;
  for (int j = 0; j < 32; ++j) {
    const size_t index = block.current / 32 * 32 + size_t(j);
    if ((mask >> j & 1u) == 0 || index >= block.threads) continue;
    const Fiber& other = *block.fibers[index];  // one that has ended since it voted has voted all the same
    if (other.state != State::done || other.ballots >= number) votes |= unsigned(other.voted[parity]) << j;
  }
  return votes;
}

const unsigned char* gather(const void* value, size_t bytes) {
  Fiber& own = *block.fibers[block.current];
  if (bytes > sizeof own.wide[0]) die("gather: too wide");
  const int parity = own.parity ^= 1;
  std::memcpy(own.wide[parity], value, bytes);
  warp_barrier(~0u);
  block.gathered.resize(32 * bytes);
  for (size_t j = 0; j < 32; ++j) std::memcpy(&block.gathered[j * bytes], neighbour(~0u, int(j)).wide[parity], bytes);
  return block.gathered.data();
}

void copy_async(void* to, const void* from, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(to) % bytes || reinterpret_cast<uintptr_t>(from) % bytes) die("an asynchronous copy is misaligned");
  block.fibers[block.current]->copies.back().push_back({to, from, bytes});
}

void copy_async_commit() { block.fibers[block.current]->copies.emplace_back(); }

void copy_async_wait(size_t pending) {
  auto& copies = block.fibers[block.current]->copies;
  while (copies.size() - 1 > pending) {
    for (const AsyncCopy& copy : copies.front()) {
      if (copy.from) std::memcpy(copy.to, copy.from, copy.bytes);
      else std::memset(copy.to, 0, copy.bytes);
    }
    copies.erase(copies.begin());
  }
}

void* dynamic_shared() { return block.shared_memory; }

void* shared(const void* key, size_t bytes, size_t alignment) {
  for (const SharedVariable& variable : block.variables)
    if (variable.key == key) return block.shared_memory + variable.at;
  const size_t at = (block.shared_used + alignment - 1) / alignment * alignment;
  if (at + bytes > kShared) die("more shared memory than a block has");
  block.shared_used = at + bytes;
  block.variables.push_back({key, at, bytes});
  return block.shared_memory + at;
}

}  // namespace uam::emulated
