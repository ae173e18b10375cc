// First-order statistics of each region's intensities, and of the histogram of its grey levels.
// Names and definitions of the columns: src/radiomics/firstorder.ts, in the same order.
#pragma once
#include "params.h"
#include "roi.h"

namespace uam {

enum FirstorderColumn {
  kPercentile10,
  kPercentile90,
  kEnergy,
  kEntropy,
  kInterquartileRange,
  kKurtosis,
  kMaximum,
  kMean,
  kMeanAbsoluteDeviation,
  kMedian,
  kMinimum,
  kRange,
  kRobustMeanAbsoluteDeviation,
  kRootMeanSquared,
  kSkewness,
  kStandardDeviation,
  kTotalEnergy,
  kUniformity,
  kVariance,
  kFirstorderColumns
};

struct Firstorder : RoiInput {
  double shift = 0;              // added to the intensities before Energy, TotalEnergy and RootMeanSquared
  double pixel_area = 1;         // TotalEnergy = Energy * pixel_area
  bool excess_kurtosis = false;  // IBSI: minus 3
  Out<double> out;               // [rois, 19]

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.number("shift", shift);
    v.number("pixelArea", pixel_area);
    v.flag("excessKurtosis", excess_kurtosis);
    v.array("out", out, {rois, kFirstorderColumns});
  }
};

namespace cpu {  // see each_region.h
int64_t check(const Firstorder& p);
void fill_row(const Firstorder& p, const Roi& roi, int64_t r, double* out);
}  // namespace cpu

}  // namespace uam
