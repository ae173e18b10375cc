// The cells of a label image in one pass: for every label but 0, in rising order of the labels,
//   box       the least rectangle that holds its pixels: x0, y0, x1, y1 with x1 and y1 outside
//   area      how many pixels it has
//   centroid  the mean of its pixels' centres (x, y); the centre of the first pixel is (0, 0)
//   touches   1 where the box reaches an edge of the image
// The caller cannot know the number of cells: `total` always receives it, the other outputs only where it is at most
// `capacity`; what lies beyond the cells is zero.
#pragma once
#include "params.h"

namespace uam {

struct LabelCells {
  int64_t height, width, capacity;
  In<uint32_t> labels;    // [height, width]
  Out<uint32_t> ids;      // [capacity]
  Out<int32_t> boxes;     // [capacity, 4]
  Out<uint32_t> areas;    // [capacity]
  Out<double> centroids;  // [capacity, 2]
  Out<uint8_t> touches;   // [capacity]
  Out<double> total;      // [1]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.dim("capacity", capacity);
    v.array("labels", labels, {height, width});
    v.array("ids", ids, {capacity});
    v.array("boxes", boxes, {capacity, 4});
    v.array("areas", areas, {capacity});
    v.array("centroids", centroids, {capacity, 2});
    v.array("touches", touches, {capacity});
    v.array("total", total, {1});
  }
};

}  // namespace uam
