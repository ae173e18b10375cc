#include "kernels/shape2d.h"

#include "each_form.h"

namespace uam::cpu {

namespace {

void describe(const Shape2d& p, const Region& region, double* out, Scratch& scratch) {
  const double diameter = diameter_of(hull_of_mesh(region, scratch), p.spacing);
  Shape2d::write(measure_mesh(region, p.spacing), measure_spread(region, p.spacing), diameter, region.n, p.spacing, out);
}

}  // namespace

void shape2d(const Shape2d& p) { each_form(p, describe); }

}  // namespace uam::cpu
