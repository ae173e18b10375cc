// PyRadiomics' weightingNorm: how long a step between two pixels is. GLCM weighs an angle by exp(-d^2), GLRLM by d.
#pragma once
#include <cmath>

#include "roi.h"

namespace uam {

// `average` keeps the angles apart and averages their features; the others merge them into one matrix.
enum class Weighting { average, manhattan, euclidean, infinity, none };

UAM_HD inline double step_length(Weighting norm, Step step, double spacing_x, double spacing_y) {
  const double dx = fabs(double(step.dx)) * spacing_x, dy = fabs(double(step.dy)) * spacing_y;
  if (norm == Weighting::manhattan) return dx + dy;
  if (norm == Weighting::euclidean) return sqrt(dx * dx + dy * dy);
  return most(dx, dy);
}

}  // namespace uam
