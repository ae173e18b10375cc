// Nearest neighbours of points in the plane, and what lies around each of them. Never counts a point as its own neighbour; points at
// the same place are neighbours at distance 0. Neighbours come in the order of their distance, those at one distance by their index.
//   distances[i, j]    distance of point i to its (j + 1)-th nearest other point; NaN where there are fewer
//   counts[q, i]       number of other points at a distance <= radii[q]
//   means[q, f, i]     mean of values[f] over those of them where it is not NaN, summed in that order; NaN where there is none
#pragma once
#include "params.h"

namespace uam {

struct Neighbours {
  int64_t n, nearest, radius_count, features;
  In<double> points;      // [n, 2], finite
  In<double> radii;       // [radius_count], >= 0
  In<double> values;      // [features, n]
  Out<double> distances;  // [n, nearest]
  Out<double> counts;     // [radius_count, n]
  Out<double> means;      // [radius_count, features, n]
  template <class V> void fields(V&& v) {
    v.dim("n", n);
    v.dim("nearest", nearest);
    v.dim("radiusCount", radius_count);
    v.dim("features", features);
    v.array("points", points, {n, 2});
    v.array("radii", radii, {radius_count});
    v.array("values", values, {features, n});
    v.array("distances", distances, {n, nearest});
    v.array("counts", counts, {radius_count, n});
    v.array("means", means, {radius_count, features, n});
  }
};

}  // namespace uam
