// The form of each region beyond PyRadiomics: sizes, hull, moments, and the spectrum and curvature of its contour.
// Names and definitions of the columns: src/radiomics/morphology.ts, in the same order.
#pragma once
#include "outline.h"
#include "params.h"

namespace uam {

constexpr int kSpectrumBands = 6;       // FSD: frequencies [1, 2) [2, 4) [4, 8) ... [32, 64) of a turn
constexpr int kSmoothHarmonics = 15;    // the contour whose curvature is told is made of so many
constexpr int64_t kSamples = 64;        // on the contour, at least, where its curvature is told
constexpr double kSmoothWidth = 5;      // harmonic k weighs exp(-(k / 5)^2 / 2)
constexpr double kConcaveBelow = -0.1;  // of the curvature of a circle as long as the contour

struct Morphology : RoiMask {
  enum Column {
    kArea,
    kAspectRatio,
    kBoundingBoxArea,
    kCircularity,
    kConcavities,
    kConvexArea,
    kCurvatureMaximum,
    kCurvatureMean,
    kCurvatureMinimum,
    kCurvatureStandardDeviation,
    kEccentricity,
    kEquivalentDiameter,
    kEulerNumber,
    kExtent,
    kFilledArea,
    kFsd1,
    kHoles = kFsd1 + kSpectrumBands,
    kHu1,
    kMaximumFeret = kHu1 + 7,
    kMinimumFeret,
    kOrientation,
    kRoundness,
    kSolidity,
    kColumns
  };
  Spacing spacing;  // the size of a pixel
  Out<double> out;  // [rois, 33]

  template <class V> void fields(V&& v) {
    mask_fields(v);
    v.number("spacingX", spacing.x);
    v.number("spacingY", spacing.y);
    v.array("out", out, {rois, kColumns});
  }
};

}  // namespace uam
