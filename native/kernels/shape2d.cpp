#include "kernels/shape2d.h"

#include <cmath>

#include "each_form.h"

namespace uam::cpu {

namespace {

constexpr double kPi = 3.14159265358979323846;

void describe(const Shape2d& p, const Region& region, double* out, Scratch& scratch) {
  const Mesh mesh = measure_mesh(region, p.spacing);
  const Spread spread = measure_spread(region, p.spacing);
  const double circle = 2 * std::sqrt(kPi * mesh.area);                // the circumference of the circle of that area
  out[Shape2d::kElongation] = std::sqrt(spread.minor / spread.major);  // 0 / 0 for a single pixel
  out[Shape2d::kMajorAxisLength] = 4 * std::sqrt(spread.major);
  out[Shape2d::kMaximumDiameter] = diameter_of(hull_of_mesh(region, scratch), p.spacing);
  out[Shape2d::kMeshSurface] = mesh.area;
  out[Shape2d::kMinorAxisLength] = 4 * std::sqrt(spread.minor);
  out[Shape2d::kPerimeter] = mesh.perimeter;
  out[Shape2d::kPerimeterSurfaceRatio] = mesh.perimeter / mesh.area;
  out[Shape2d::kPixelSurface] = double(region.n) * (p.spacing.x * p.spacing.y);
  out[Shape2d::kSphericalDisproportion] = mesh.perimeter / circle;
  out[Shape2d::kSphericity] = circle / mesh.perimeter;
}

}  // namespace

void shape2d(const Shape2d& p) { each_form(p, describe); }

}  // namespace uam::cpu
