// How far each pixel that is not 0 is from the nearest 0, centre to centre (Euclidean, exact; 0 at the zeros themselves, infinity
// where there is no 0 at all). What lies beyond the image does not count as 0.
// Two passes: the distance to the nearest 0 of the same column, then along each row the lower envelope of the parabolas that these
// give (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012), in whole numbers.
#pragma once
#include "params.h"

namespace uam {

struct DistanceTransform {
  int64_t height, width;
  In<uint8_t> mask;     // [height, width]
  Out<float> distance;  // [height, width]
  template <class V> void fields(V&& v) {
    v.dim("height", height);
    v.dim("width", width);
    v.array("mask", mask, {height, width});
    v.array("distance", distance, {height, width});
  }
};

}  // namespace uam
