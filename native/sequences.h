// Walking packed sequences forward or in reverse: a kernel counts positions in the order in which it passes over a
// sequence, and asks which token that is.
#pragma once
#include "params.h"

namespace uam {

struct Sequence {
  int64_t first, last;  // tokens [first, last)
  bool reverse;
  int64_t length() const { return last - first; }
  int64_t token(int64_t position) const { return reverse ? last - 1 - position : first + position; }
};

inline Sequence sequence_of(const Offsets& offsets, int64_t s, bool reverse) { return {offsets.at(s), offsets.at(s + 1), reverse}; }

// visit(sequence, begin, end) for the positions that the tokens [begin, end) hold of each sequence they touch.
template <class Visit> void for_sequences(const Offsets& offsets, bool reverse, int64_t begin, int64_t end, Visit&& visit) {
  int64_t low = 0, high = offsets.sequences();
  while (high - low > 1) {  // to the last sequence that starts at or before `begin`
    const int64_t middle = (low + high) / 2;
    (offsets.at(middle) <= begin ? low : high) = middle;
  }
  for (int64_t s = low; s < offsets.sequences() && offsets.at(s) < end; ++s) {
    const Sequence sequence = sequence_of(offsets, s, reverse);
    const int64_t from = begin > sequence.first ? begin : sequence.first, to = end < sequence.last ? end : sequence.last;
    if (from >= to) continue;
    if (reverse) visit(sequence, sequence.last - to, sequence.last - from);
    else visit(sequence, from - sequence.first, to - sequence.first);
  }
}

}  // namespace uam
