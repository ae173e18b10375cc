// Brings the tokens of a mixture of experts together expert by expert, so that every expert sees one packed run of rows.
// A choice i = t * k + c sends token t to indices[t, c] unless kept[t, c] is 0. Kept choices are sorted by expert, stably:
//   order[s]        the choice in slot s;  slot[t, c] is its inverse, -1 where dropped
//   offsets         expert e owns slots offsets[e] .. offsets[e + 1]
//   rows[s, :]      x[order[s] / k, :]
//   dx[t, :]        sum of drows[slot[t, c], :] over kept c, in order of slots (of experts, that is): no atomics, always the same sum
#pragma once
#include "params.h"

namespace uam {

struct MoeDispatchFwd {
  int64_t tokens, width, experts, k;
  int64_t slots;         // kept choices: tokens * k, or fewer where capacity dropped some
  In<float> x;           // [tokens, width]
  In<int32_t> indices;   // [tokens, k], 0 .. experts - 1
  In<uint8_t> kept;      // [tokens, k], optional
  Out<float> rows;       // [slots, width]
  Out<int32_t> offsets;  // [experts + 1]
  Out<int32_t> order;    // [slots]
  Out<int32_t> slot;     // [tokens, k]
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("width", width);
    v.dim("experts", experts);
    v.dim("k", k);
    v.dim("slots", slots);
    v.array("x", x, {tokens, width});
    v.array("indices", indices, {tokens, k});
    v.optional("kept", kept, {tokens, k});
    v.array("rows", rows, {slots, width});
    v.array("offsets", offsets, {experts + 1});
    v.array("order", order, {slots});
    v.array("slot", slot, {tokens, k});
  }
};

struct MoeDispatchBwd {
  int64_t tokens, width, k, slots;
  In<float> drows;   // [slots, width]
  In<int32_t> slot;  // [tokens, k]
  Out<float> dx;     // [tokens, width]
  template <class V> void fields(V&& v) {
    v.dim("tokens", tokens);
    v.dim("width", width);
    v.dim("k", k);
    v.dim("slots", slots);
    v.array("dRows", drows, {slots, width});
    v.array("slot", slot, {tokens, k});
    v.array("dX", dx, {tokens, width});
  }
};

}  // namespace uam
