// Where a token's choices stand among the rows sorted by expert.
#pragma once
#include <cstdint>

#include "index_error.h"

namespace uam {

struct MoeSlot {
  int64_t row, choice;  // choice = token * k + c
};

// The kept choices of a token by rising row, which is by rising expert. Returns their number; `found` has room for k.
inline int64_t slots_of_token(const int32_t* slot, int64_t token, int64_t k, int64_t slots, MoeSlot* found) {
  int64_t count = 0;
  for (int64_t choice = token * k; choice < (token + 1) * k; ++choice) {
    const int64_t row = slot[choice];
    if (row == -1) continue;
    if (row < 0 || row >= slots) reject_index("slot", choice, row, slots, ", or -1 (dropped)");
    int64_t place = count++;
    for (; place > 0 && found[place - 1].row > row; --place) found[place] = found[place - 1];
    found[place] = {row, choice};
  }
  return count;
}

}  // namespace uam
