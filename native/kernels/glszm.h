// Features of the grey-level size-zone matrix: zones are pixels of one grey level that touch, corners included.
// Names and definitions of the columns: src/radiomics/glszm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"
#include "size_matrix.h"

namespace uam {

struct Glszm : RoiInput {
  Out<double> out;  // [rois, 16]; `matrix` has rows level - 1, size - 1, count, 0

  enum Column {
    kGrayLevelNonUniformity,
    kGrayLevelNonUniformityNormalized,
    kGrayLevelVariance,
    kHighGrayLevelZoneEmphasis,
    kLargeAreaEmphasis,
    kLargeAreaHighGrayLevelEmphasis,
    kLargeAreaLowGrayLevelEmphasis,
    kLowGrayLevelZoneEmphasis,
    kSizeZoneNonUniformity,
    kSizeZoneNonUniformityNormalized,
    kSmallAreaEmphasis,
    kSmallAreaHighGrayLevelEmphasis,
    kSmallAreaLowGrayLevelEmphasis,
    kZoneEntropy,
    kZonePercentage,
    kZoneVariance,
    kColumns
  };

  UAM_HD static void write(const SizeFeatures& f, double* out) {
    out[kGrayLevelNonUniformity] = f.level_non_uniformity;
    out[kGrayLevelNonUniformityNormalized] = f.level_non_uniformity_normalized;
    out[kGrayLevelVariance] = f.level_variance;
    out[kHighGrayLevelZoneEmphasis] = f.high_level;
    out[kLargeAreaEmphasis] = f.large;
    out[kLargeAreaHighGrayLevelEmphasis] = f.large_high;
    out[kLargeAreaLowGrayLevelEmphasis] = f.large_low;
    out[kLowGrayLevelZoneEmphasis] = f.low_level;
    out[kSizeZoneNonUniformity] = f.size_non_uniformity;
    out[kSizeZoneNonUniformityNormalized] = f.size_non_uniformity_normalized;
    out[kSmallAreaEmphasis] = f.small;
    out[kSmallAreaHighGrayLevelEmphasis] = f.small_high;
    out[kSmallAreaLowGrayLevelEmphasis] = f.small_low;
    out[kZoneEntropy] = f.entropy;
    out[kZonePercentage] = f.percentage;
    out[kZoneVariance] = f.size_variance;
  }

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.array("out", out, {rois, kColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Glszm& p);
void fill_row(const Glszm& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
