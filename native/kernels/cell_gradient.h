// How steeply one channel changes in each region: statistics of the gradient's magnitude, and Canny's edges.
// Names and definitions of the columns: src/radiomics/gradient.ts, in the same order.
#pragma once
#include "outline.h"
#include "params.h"

namespace uam {

constexpr int kGradientBins = 10;      // of the histogram of magnitudes, from the region's least to its greatest
constexpr int kBlurReach = 4;          // the Gaussian has one pixel standard deviation and 2 * 4 + 1 weights
constexpr double kEdgeLow = 0.05;      // of the region's range of intensities, per pixel: goes on an edge
constexpr double kEdgeHigh = 0.1;      // begins an edge
constexpr double kEdgeTie = 1 - 1e-9;  // of the neighbour's magnitude: as steep as the neighbour, whatever rounding says

struct CellGradient : RoiInput {
  enum Column { kCannyMean, kCannySum, kMagHistEnergy, kMagHistEntropy, kMagKurtosis, kMagMean, kMagSkewness, kMagStd, kColumns };
  Spacing spacing;               // the size of a pixel: magnitudes are per unit of it
  bool excess_kurtosis = false;  // IBSI: minus 3
  Out<double> out;               // [rois, 8]

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.number("spacingX", spacing.x);
    v.number("spacingY", spacing.y);
    v.flag("excessKurtosis", excess_kurtosis);
    v.array("out", out, {rois, kColumns});
  }
};

}  // namespace uam
