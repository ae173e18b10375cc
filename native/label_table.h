// Labels (any uint32 but 0) to numbers 0, 1, 2, ... in the order in which they are first seen.
#pragma once
#include <cstdint>
#include <vector>

namespace uam {

class LabelTable {
 public:
  LabelTable() : slots_(64, kEmpty) {}

  // The number of a label, which is added where it is new.
  int64_t number(uint32_t label) {
    const size_t slot = probe(label);
    if (slots_[slot] != kEmpty) return slots_[slot];
    const auto fresh = int64_t(labels_.size());
    slots_[slot] = fresh;
    labels_.push_back(label);
    if (labels_.size() * 2 > slots_.size()) grow();
    return fresh;
  }

  // The number of a label, or -1.
  int64_t find(uint32_t label) const { return slots_[probe(label)]; }

  const std::vector<uint32_t>& labels() const { return labels_; }

 private:
  static constexpr int64_t kEmpty = -1;

  // Neighbouring labels, and labels that differ in their high bits only, go to different places.
  static size_t mix(uint32_t label) {
    uint64_t h = label * 0x9E3779B97F4A7C15ull;
    return size_t(h ^ (h >> 32));
  }

  size_t probe(uint32_t label) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = mix(label) & mask;
    while (slots_[slot] != kEmpty && labels_[size_t(slots_[slot])] != label) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, kEmpty);
    for (size_t i = 0; i < labels_.size(); ++i) slots_[probe(labels_[i])] = int64_t(i);
  }

  std::vector<int64_t> slots_;
  std::vector<uint32_t> labels_;
};

}  // namespace uam
