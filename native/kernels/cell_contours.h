// The outlines of cells as rings of pixel corners: the corner above and left of the first pixel is (0, 0), so the pixel (x, y)
// covers [x, x + 1] x [y, y + 1]. A cell that falls into several pieces (pixels that touch at a corner only are separate pieces) has
// one outer ring per piece, in the order of the pieces' first pixels, each followed by the rings of its holes. No ring touches
// itself; only points where a ring turns are listed, the first is not repeated at the end. On the screen (y downward) outer rings
// run clockwise and holes counterclockwise, so the shoelace sum of x[i] y[i+1] - x[i+1] y[i] is positive for outer rings.
//
// Rings of cell i: cell_offsets[i] .. cell_offsets[i + 1]; points of ring r: ring_offsets[r] .. ring_offsets[r + 1].
// The caller cannot know how many there are: `totals` always receives the numbers of rings and points, the other outputs only
// where both fit the capacities; what lies beyond is zero. Labels that `ids` does not name are passed over.
#pragma once
#include "params.h"

namespace uam {

struct CellContours {
  int64_t height, width, count, ring_capacity, point_capacity;
  In<uint32_t> labels;        // [height, width]
  In<uint32_t> ids;           // [count], rising, not 0
  Out<double> points;         // [point_capacity, 2]: x, y
  Out<int32_t> ring_offsets;  // [ring_capacity + 1]
  Out<int32_t> cell_offsets;  // [count + 1]
  Out<double> totals;         // [2]: rings, points
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("count", count);
    v.dim("ring_capacity", ring_capacity);
    v.dim("point_capacity", point_capacity);
    v.array("labels", labels, {height, width});
    v.array("ids", ids, {count});
    v.array("points", points, {point_capacity, 2});
    v.array("ring_offsets", ring_offsets, {ring_capacity + 1});
    v.array("cell_offsets", cell_offsets, {count + 1});
    v.array("totals", totals, {2});
  }
};

}  // namespace uam
