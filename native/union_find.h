// Sets that are joined step by step; the least member stands for its set.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace uam {

class UnionFind {
 public:
  uint32_t add() {
    parent_.push_back(uint32_t(parent_.size()));
    return parent_.back();
  }

  size_t size() const { return parent_.size(); }

  uint32_t root(uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  uint32_t join(uint32_t a, uint32_t b) {
    a = root(a), b = root(b);
    if (b < a) std::swap(a, b);
    return parent_[b] = a;
  }

  // `b`, a root, now belongs to the root `a`, whichever is less.
  void put_under(uint32_t b, uint32_t a) { parent_[b] = a; }

 private:
  std::vector<uint32_t> parent_;
};

}  // namespace uam
