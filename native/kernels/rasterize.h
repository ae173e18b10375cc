// Polygons to a label image, by pixel centres. Coordinates are those of pixel edges: the pixel (x, y) covers [x, x + 1] x [y, y + 1]
// and its centre is (x + 0.5, y + 0.5). A pixel belongs to a polygon where a ray from its centre to the left crosses the polygon's
// rings an odd number of times, so that holes are rings like any other. An edge holds its upper end and not its lower one, and a centre
// exactly on an edge lies to the right of it: polygons that share an edge share no pixel and leave none out.
// Where an edge crosses a row's centre line: t = (row - y1) / (y2 - y1), x = x1 + t (x2 - x1), from the upper end (1) to the lower
// (2), so that an edge gives the same number whichever way it is walked.
//
// Where polygons overlap the later one has the pixel, or the earlier one with `keep_first`.
// The image shows the pixels from (x0, y0) on. `covered` counts the pixels of the image whose centres lie in a polygon, `visible` those
// that it has in the end.
#pragma once
#include "params.h"

namespace uam {

struct Rasterize {
  int64_t polygons, rings, points, height, width;
  int32_t x0, y0;
  bool keep_first;
  In<double> xy;            // [points, 2]: x, y; the last point of a ring is joined to its first
  Offsets ring_offsets;     // [rings + 1]
  Offsets polygon_offsets;  // [polygons + 1]
  In<uint32_t> ids;         // [polygons], not 0
  Out<uint32_t> labels;     // [height, width]
  Out<double> covered;      // [polygons]
  Out<double> visible;      // [polygons]
  template <class V> void fields(V&& v) {
    v.dim("polygons", polygons);
    v.dim("rings", rings);
    v.dim("points", points);
    v.dim("height", height);
    v.dim("width", width);
    v.number("x0", x0);
    v.number("y0", y0);
    v.flag("keep_first", keep_first);
    v.array("xy", xy, {points, 2});
    v.offsets("ring_offsets", ring_offsets, points);
    v.offsets("polygon_offsets", polygon_offsets, rings);
    v.array("ids", ids, {polygons});
    v.array("labels", labels, {height, width});
    v.array("covered", covered, {polygons});
    v.array("visible", visible, {polygons});
  }
};

}  // namespace uam
