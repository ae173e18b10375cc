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

size_t round_up(size_t size) { return (size + 63) & ~size_t(63); }

}  // namespace

// Blocks are used in order; `current` and `used` are the top of the stack.
struct Scratch::Stack {
  std::vector<Block> blocks;
  size_t current = 0, used = 0;
  ~Stack() {
    for (auto& block : blocks) std::free(block.data);
  }
};

Scratch::Stack& Scratch::of_this_thread() {
  static thread_local Stack stack;
  return stack;
}

Scratch::Scratch() : stack_(of_this_thread()), block_(stack_.current), used_(stack_.used) {}

Scratch::~Scratch() {
  stack_.current = block_;
  stack_.used = used_;
}

void* Scratch::bytes(size_t size) {
  size = std::max<size_t>(round_up(size), 64);
  while (stack_.current < stack_.blocks.size() && stack_.used + size > stack_.blocks[stack_.current].size) {
    ++stack_.current;
    stack_.used = 0;
  }
  if (stack_.current == stack_.blocks.size()) {
    const size_t capacity = std::max<size_t>(size, size_t(1) << 20);
    char* data = static_cast<char*>(std::aligned_alloc(64, capacity));
    if (!data) throw std::bad_alloc();
    stack_.blocks.push_back({data, capacity});
    stack_.used = 0;
  }
  void* start = stack_.blocks[stack_.current].data + stack_.used;
  stack_.used += size;
  return start;
}

}  // namespace uam
