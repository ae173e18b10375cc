// The shape of each region in the plane, as PyRadiomics measures it.
// Names and definitions of the columns: src/radiomics/shape2d.ts, in the same order.
#pragma once
#include <cmath>

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

  UAM_HD static void write(const Mesh& mesh, const Spread& spread, double diameter, int64_t pixels, const Spacing& spacing, double* out) {
    const double circle = 2 * sqrt(3.14159265358979323846 * mesh.area);  // the circumference of the circle of that area
    out[kElongation] = sqrt(spread.minor / spread.major);                // 0 / 0 for a single pixel
    out[kMajorAxisLength] = 4 * sqrt(spread.major);
    out[kMaximumDiameter] = diameter;
    out[kMeshSurface] = mesh.area;
    out[kMinorAxisLength] = 4 * sqrt(spread.minor);
    out[kPerimeter] = mesh.perimeter;
    out[kPerimeterSurfaceRatio] = mesh.perimeter / mesh.area;
    out[kPixelSurface] = double(pixels) * (spacing.x * spacing.y);
    out[kSphericalDisproportion] = mesh.perimeter / circle;
    out[kSphericity] = circle / mesh.perimeter;
  }

  template <class V> void fields(V&& v) {
    mask_fields(v);
    v.number("spacingX", spacing.x);
    v.number("spacingY", spacing.y);
    v.array("out", out, {rois, kColumns});
  }
};

}  // namespace uam
