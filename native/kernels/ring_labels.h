// A ring about each cell: the background pixels within a distance of it, each given to the cell whose pixels are nearest.
//   distance^2 = sx^2 dx^2 + sy^2 dy^2 between pixel centres; of cells at the same distance the one with the smaller id takes it.
// Exact, and its time grows with the pixels of the image times the width of the ring, not with the number of cells.
#pragma once
#include "outline.h"
#include "params.h"

namespace uam {

struct RingLabels {
  int64_t height, width;
  In<uint32_t> labels;  // [height, width] 0 is background
  double ring_width;    // farthest distance from the cell, inclusive
  Spacing spacing;      // the size of a pixel
  Out<uint32_t> rings;  // [height, width] 0 in every cell and beyond the rings

  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.array("labels", labels, {height, width});
    v.number("ringWidth", ring_width);
    v.number("spacingX", spacing.x);
    v.number("spacingY", spacing.y);
    v.array("rings", rings, {height, width});
  }
};

}  // namespace uam
