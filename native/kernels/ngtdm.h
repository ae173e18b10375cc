// Features of the neighbourhood grey-tone difference matrix: how far each pixel's level is from the mean level around it.
// Names and definitions of the columns: src/radiomics/ngtdm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"

namespace uam {

struct Ngtdm : RoiInput {
  int64_t distance_count = 0;
  In<int32_t> distances;       // [distance_count], 1 or more: the neighbours are those at these distances (infinity norm)
  bool skip_isolated = false;  // IBSI: pixels without neighbours do not count; PyRadiomics counts them with difference 0
  Out<double> out;             // [rois, 5]; `matrix` has rows n, s, level, 0

  enum Column { kBusyness, kCoarseness, kComplexity, kContrast, kStrength, kColumns };

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.dim("distanceCount", distance_count);
    v.array("distances", distances, {distance_count});
    v.flag("skipIsolated", skip_isolated);
    v.array("out", out, {rois, kColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Ngtdm& p);
void fill_row(const Ngtdm& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
