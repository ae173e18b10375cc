// Grey level co-occurrence: how often level i stands one step beside level j. Features of each step's matrix, averaged over the
// steps; or of the weighted sum of the matrices. Names and definitions of the columns: src/radiomics/glcm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"
#include "weighting.h"

namespace uam {

enum GlcmColumn {
  kAutocorrelation,
  kClusterProminence,
  kClusterShade,
  kClusterTendency,
  kContrast,
  kCorrelation,
  kDifferenceAverage,
  kDifferenceEntropy,
  kDifferenceVariance,
  kDissimilarity,
  kHomogeneity1,
  kHomogeneity2,
  kId,
  kIdm,
  kIdmn,
  kIdn,
  kImc1,
  kImc2,
  kInverseVariance,
  kJointAverage,
  kJointEnergy,
  kJointEntropy,
  kMcc,
  kMaximumProbability,
  kSumAverage,
  kSumEntropy,
  kSumSquares,
  kSumVariance,
  kGlcmColumns
};

struct Glcm : RoiInput {
  int64_t distance_count = 0;
  In<int32_t> distances;  // [distance_count] of the neighbours, in pixels, infinity norm
  bool symmetrical = false;
  Weighting weighting = Weighting::average;
  double spacing_x = 1, spacing_y = 1;
  Out<double> out;  // [rois, 28]

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.dim("distanceCount", distance_count);
    v.array("distances", distances, {distance_count});
    v.flag("symmetrical", symmetrical);
    v.choice("weighting", weighting, 5);
    v.number("spacingX", spacing_x);
    v.number("spacingY", spacing_y);
    v.array("out", out, {rois, kGlcmColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Glcm& p);
void fill_row(const Glcm& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
