// Features of the grey-level dependence matrix: how many neighbours of a pixel have about its grey level.
// Names and definitions of the columns: src/radiomics/gldm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"
#include "size_matrix.h"

namespace uam {

struct Gldm : RoiInput {
  int64_t distance_count = 0;
  In<int32_t> distances;  // [distance_count], 1 or more: the neighbours are those at these distances (infinity norm)
  double alpha = 0;       // a neighbour depends on its centre if their levels differ by no more
  Out<double> out;        // [rois, 16]; `matrix` has rows level - 1, dependent neighbours, count, 0

  enum Column {
    kDependenceEntropy,
    kDependenceNonUniformity,
    kDependenceNonUniformityNormalized,
    kDependencePercentage,
    kDependenceVariance,
    kGrayLevelNonUniformity,
    kGrayLevelNonUniformityNormalized,
    kGrayLevelVariance,
    kHighGrayLevelEmphasis,
    kLargeDependenceEmphasis,
    kLargeDependenceHighGrayLevelEmphasis,
    kLargeDependenceLowGrayLevelEmphasis,
    kLowGrayLevelEmphasis,
    kSmallDependenceEmphasis,
    kSmallDependenceHighGrayLevelEmphasis,
    kSmallDependenceLowGrayLevelEmphasis,
    kColumns
  };

  UAM_HD static void write(const SizeFeatures& f, double* out) {
    out[kDependenceEntropy] = f.entropy;
    out[kDependenceNonUniformity] = f.size_non_uniformity;
    out[kDependenceNonUniformityNormalized] = f.size_non_uniformity_normalized;
    out[kDependencePercentage] = 1;
    out[kDependenceVariance] = f.size_variance;
    out[kGrayLevelNonUniformity] = f.level_non_uniformity;
    out[kGrayLevelNonUniformityNormalized] = f.level_non_uniformity_normalized;
    out[kGrayLevelVariance] = f.level_variance;
    out[kHighGrayLevelEmphasis] = f.high_level;
    out[kLargeDependenceEmphasis] = f.large;
    out[kLargeDependenceHighGrayLevelEmphasis] = f.large_high;
    out[kLargeDependenceLowGrayLevelEmphasis] = f.large_low;
    out[kLowGrayLevelEmphasis] = f.low_level;
    out[kSmallDependenceEmphasis] = f.small;
    out[kSmallDependenceHighGrayLevelEmphasis] = f.small_high;
    out[kSmallDependenceLowGrayLevelEmphasis] = f.small_low;
  }

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.dim("distanceCount", distance_count);
    v.array("distances", distances, {distance_count});
    v.number("alpha", alpha);
    v.array("out", out, {rois, kColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Gldm& p);
void fill_row(const Gldm& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
