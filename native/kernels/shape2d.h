// The shape of each region in the plane, as PyRadiomics measures it.
// Names and definitions of the columns: src/radiomics/shape2d.ts, in the same order.
#pragma once
#include "outline.h"
#include "params.h"

namespace uam {

struct Shape2d : RoiMask {
  enum Column {
    kElongation,
    kMajorAxisLength,
    kMaximumDiameter,
    kMeshSurface,
    kMinorAxisLength,
    kPerimeter,
    kPerimeterSurfaceRatio,
    kPixelSurface,
    kSphericalDisproportion,
    kSphericity,
    kColumns
  };
  Spacing spacing;  // the size of a pixel
  Out<double> out;  // [rois, 10]

  template <class V> void fields(V&& v) {
    mask_fields(v);
    v.number("spacingX", spacing.x);
    v.number("spacingY", spacing.y);
    v.array("out", out, {rois, kColumns});
  }
};

}  // namespace uam
