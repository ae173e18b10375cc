#include "scratch.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

namespace uam {

namespace {

struct Block {
  char* data;
  size_t size;
};

// Blocks are used in order; `current` and `used` are the top of the stack.
struct Stack {
  std::vector<Block> blocks;
  size_t current = 0, used = 0;
  ~Stack() {
    for (auto& block : blocks) std::free(block.data);
  }
};

thread_local Stack stack;

size_t round_up(size_t size) { return (size + 63) & ~size_t(63); }

}  // namespace

Scratch::Scratch() : block_(stack.current), used_(stack.used) {}

Scratch::~Scratch() {
  stack.current = block_;
  stack.used = used_;
}

void* Scratch::bytes(size_t size) {
  size = std::max<size_t>(round_up(size), 64);
  while (stack.current < stack.blocks.size() && stack.used + size > stack.blocks[stack.current].size) {
    ++stack.current;
    stack.used = 0;
  }
  if (stack.current == stack.blocks.size()) {
    const size_t capacity = std::max<size_t>(size, size_t(1) << 20);
    char* data = static_cast<char*>(std::aligned_alloc(64, capacity));
    if (!data) throw std::bad_alloc();
    stack.blocks.push_back({data, capacity});
    stack.used = 0;
  }
  void* start = stack.blocks[stack.current].data + stack.used;
  stack.used += size;
  return start;
}

}  // namespace uam
