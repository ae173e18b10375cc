// Cuts a mask into one region per hill of `heights`.
// Heights are rounded down to steps of 1/64 (below 0 to 0, above 1023 to 1023). The pixels of the mask are taken from the highest to the
// lowest, equals row by row. A pixel beside no pixel taken before (8 neighbours) is a new summit. Otherwise it joins the region of the
// highest of those neighbours (of equals, the first row by row); and where regions meet in it, each whose summit rises less
// than `depth` above this pixel becomes part of the one with the highest summit (of equals, the older).
// Regions are numbered 1, 2, ... in the order of their first pixels, row by row. (With `depth` 0 no regions are joined.)
#pragma once
#include "params.h"

namespace uam {

struct Watershed {
  int64_t height, width;
  double depth;
  In<float> heights;     // [height, width]
  In<uint8_t> mask;      // [height, width]
  Out<uint32_t> labels;  // [height, width]
  Out<double> total;     // [1]: how many regions
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.number("depth", depth);
    v.array("heights", heights, {height, width});
    v.array("mask", mask, {height, width});
    v.array("labels", labels, {height, width});
    v.array("total", total, {1});
  }
};

}  // namespace uam
