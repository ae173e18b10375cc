// Features of the grey-level size-zone matrix: zones are pixels of one grey level that touch, corners included.
// Names and definitions of the columns: src/radiomics/glszm.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"

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
