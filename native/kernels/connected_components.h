// Numbers the pieces of a mask: pixels that are not 0 and hang together over their sides, and with `diagonal` also over their
// corners. Pieces are numbered 1, 2, ... in the order of their first pixels, row by row.
#pragma once
#include "params.h"

namespace uam {

struct ConnectedComponents {
  int64_t height, width;
  bool diagonal;
  In<uint8_t> mask;      // [height, width]
  Out<uint32_t> labels;  // [height, width]
  Out<double> total;     // [1]: how many pieces
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.flag("diagonal", diagonal);
    v.array("mask", mask, {height, width});
    v.array("labels", labels, {height, width});
    v.array("total", total, {1});
  }
};

}  // namespace uam
