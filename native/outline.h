// The outline of one region: its pixels as a mask, the marching-squares mesh through the middles of pixel edges, the spread of
// its pixels and its convex hull. Lengths come in pixels until a spacing is given.
#pragma once
#include <cstdint>

#include "roi.h"

namespace uam {

// The pixels of one region in the smallest box that holds them.
struct Region {
  int64_t n = 0;                    // pixels; the rest means nothing when there are none
  int64_t left = 0, top = 0;        // where the box stands in the image
  int64_t width = 0, height = 0;    // of the box
  int64_t stride = 0;               // from row to row of `inside`
  const uint8_t* inside = nullptr;  // 1 in the region: inside[y * stride + x]; one ring of zeros may be read around the box
  const int32_t* spans[2] = {};     // [height] first and last column of the region in each row; spans[0] > spans[1]: none
};

void check_region_size(const RoiMask& mask, int64_t r);  // throws where the box of the region is too large to gather
Region gather_region(const RoiMask& mask, int64_t r, Scratch& scratch);

// The size of a pixel.
struct Spacing {
  double x = 1, y = 1;
};
void check_spacing(const Spacing& spacing);

// Area and length of the mesh whose vertices halve the edges between inside and outside. Pixels that touch by a corner alone are
// not joined (PyRadiomics). Counts of squares, so the sums are exact before the spacing comes in.
struct Mesh {
  double area, perimeter;
};
Mesh measure_mesh(const Region& region, const Spacing& spacing);

// Population covariance of the pixel centres, its eigenvalues (major >= minor >= 0), and the mean in pixels of the region's box.
struct Spread {
  double mean_x, mean_y, xx, xy, yy, major, minor;
};
Spread measure_spread(const Region& region, const Spacing& spacing);

struct Corner {
  int64_t x, y;
};

// A convex polygon in half pixels of the region's box (the centre of its first pixel is (0, 0)), clockwise as seen on the screen.
struct Hull {
  int64_t size = 0;
  const Corner* corners = nullptr;
};
Hull hull_of_mesh(const Region& region, Scratch& scratch);     // of the vertices of the mesh
Hull hull_of_corners(const Region& region, Scratch& scratch);  // of the corners of the pixels

// The largest distance between two corners.
double diameter_of(const Hull& hull, const Spacing& spacing);

}  // namespace uam
