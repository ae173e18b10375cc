// The closed contours of a region: one round each of its parts, one round each hole. Pixels that touch by a corner alone belong to
// one part, so holes are 4-connected (as in scikit-image).
#pragma once
#include "outline.h"

namespace uam {

struct Contours {
  int64_t parts = 0, holes = 0;
  int64_t size = 0;               // vertices of the contour round the part that encloses the most, clockwise on the screen
  const Corner* outer = nullptr;  // in half pixels of the region's box: the middles of the edges of pixels
};

Contours trace_contours(const Region& region, Scratch& scratch);

// The pixels that the background cannot reach from outside by steps along the axes: the region and what its holes enclose.
int64_t count_filled(const Region& region, Scratch& scratch);

}  // namespace uam
