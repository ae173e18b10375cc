// Features of the grey-level run-length matrix: runs of equal grey level along four directions.
// Names and definitions of the columns: src/radiomics/glrlm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"
#include "size_matrix.h"

namespace uam {

struct Glrlm : RoiInput {
  // Factors of the directions (dy, dx) = (1, 1), (1, 0), (1, -1), (0, 1), whose matrices are then added up. Absent: the features
  // of each direction are averaged.
  In<double> weights;  // [4]
  Out<double> out;     // [rois, 16]; `matrix` has rows level - 1, length - 1, direction, count

  enum Column {
    kGrayLevelNonUniformity,
    kGrayLevelNonUniformityNormalized,
    kGrayLevelVariance,
    kHighGrayLevelRunEmphasis,
    kLongRunEmphasis,
    kLongRunHighGrayLevelEmphasis,
    kLongRunLowGrayLevelEmphasis,
    kLowGrayLevelRunEmphasis,
    kRunEntropy,
    kRunLengthNonUniformity,
    kRunLengthNonUniformityNormalized,
    kRunPercentage,
    kRunVariance,
    kShortRunEmphasis,
    kShortRunHighGrayLevelEmphasis,
    kShortRunLowGrayLevelEmphasis,
    kColumns
  };

  UAM_HD static void write(const SizeFeatures& f, double* out) {
    out[kGrayLevelNonUniformity] = f.level_non_uniformity;
    out[kGrayLevelNonUniformityNormalized] = f.level_non_uniformity_normalized;
    out[kGrayLevelVariance] = f.level_variance;
    out[kHighGrayLevelRunEmphasis] = f.high_level;
    out[kLongRunEmphasis] = f.large;
    out[kLongRunHighGrayLevelEmphasis] = f.large_high;
    out[kLongRunLowGrayLevelEmphasis] = f.large_low;
    out[kLowGrayLevelRunEmphasis] = f.low_level;
    out[kRunEntropy] = f.entropy;
    out[kRunLengthNonUniformity] = f.size_non_uniformity;
    out[kRunLengthNonUniformityNormalized] = f.size_non_uniformity_normalized;
    out[kRunPercentage] = f.percentage;
    out[kRunVariance] = f.size_variance;
    out[kShortRunEmphasis] = f.small;
    out[kShortRunHighGrayLevelEmphasis] = f.small_high;
    out[kShortRunLowGrayLevelEmphasis] = f.small_low;
  }

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.optional("weights", weights, {4});
    v.array("out", out, {rois, kColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Glrlm& p);
void fill_row(const Glrlm& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
