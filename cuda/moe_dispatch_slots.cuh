// Where a token's choices stand among the rows sorted by expert; moe_slots.h on the CPU.
#pragma once
#include "call.cuh"
#include "index_error.h"

namespace uam::cuda {

struct SlotsOfTokens {
  int64_t k, slots;
  const int32_t* slot;  // [tokens, k], -1 where dropped
  Fault* fault;

  // A row that is none is reported, and dropped.
  __device__ int64_t row_of(int64_t choice) const {
    const int32_t row = slot[choice];
    if (row >= -1 && row < slots) return row;
    report_fault(fault, choice, row);
    return -1;
  }

  // visit(row, choice) for the kept choices of a token by rising row, which is by rising expert. k is small: the next one is
  // looked for among all of them.
  template <class Visit> __device__ __forceinline__ void each(int64_t token, Visit&& visit) const {
    int64_t last_row = -1, last_choice = -1;
    for (int64_t n = 0; n < k; ++n) {
      int64_t row = slots, choice = -1;
      for (int64_t c = token * k; c < (token + 1) * k; ++c) {
        const int64_t r = row_of(c);
        const bool later = r > last_row || (r == last_row && c > last_choice);
        if (r >= 0 && later && r < row) row = r, choice = c;
      }
      if (choice < 0) return;
      visit(row, choice);
      last_row = row;
      last_choice = choice;
    }
  }
};

template <class P> SlotsOfTokens slots_of_tokens(Call& call, const P& p) {
  const int64_t slots = p.slots;
  Fault* fault = call.fault([=](int64_t place, int32_t value) { reject_index("slot", place, value, slots, ", or -1 (dropped)"); });
  return {p.k, slots, call.in(p.slot), fault};
}

}  // namespace uam::cuda
