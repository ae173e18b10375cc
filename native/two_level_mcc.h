// The maximal correlation of a 2 x 2 matrix as PyRadiomics computes it, to the last bit. Where two grey levels are independent,
// the second eigenvalue is a rounding error about 0: PyRadiomics takes its root, so an error below 0 becomes NaN, which the mean
// over angles skips. To give the same mean, the same rounding is needed: numpy's sums, then LAPACK's dgebal and dlanv2.
#pragma once
#include <cmath>

#include "roi.h"

namespace uam {

// dgebal: powers of two that make the norms of row and column alike.
UAM_HD inline void balance(double a[2][2]) {
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < 2; ++i) {
      double c = sqrt(a[0][i] * a[0][i] + a[1][i] * a[1][i]), r = sqrt(a[i][0] * a[i][0] + a[i][1] * a[i][1]);
      if (!(c > 0) || !(r > 0)) continue;
      const double sum = c + r;
      double factor = 1;
      for (; c < r / 2; r /= 2, c *= 2) factor *= 2;
      for (; c / 2 >= r; r *= 2, c /= 2) factor /= 2;
      if (c + r >= 0.95 * sum) continue;
      changed = true;
      for (int k = 0; k < 2; ++k) a[i][k] *= 1 / factor;
      for (int k = 0; k < 2; ++k) a[k][i] *= factor;
    }
  }
}

// The lesser eigenvalue of a matrix whose eigenvalues are real: dlanv2.
UAM_HD inline double lesser_eigenvalue(const double m[2][2]) {
  const double a = m[0][0], b = m[0][1], c = m[1][0], d = m[1][1];
  if (b == 0 || c == 0) return least(a, d);
  const double half = 0.5 * (a - d), greater = most(fabs(b), fabs(c));
  const double lesser = copysign(least(fabs(b), fabs(c)), b * c);
  const double scale = most(fabs(half), greater);
  const double z = half / scale * half + greater / scale * lesser;
  if (!(z > 0)) return d;
  const double root = half + copysign(sqrt(scale) * sqrt(z), half);
  return least(d + root, d - greater / root * lesser);
}

// p are shares that sum to 1. NaN where PyRadiomics takes the root of a negative rounding error.
UAM_HD inline double two_level_mcc(const double p[2][2]) {
  const double px[2] = {p[0][0] + p[0][1], p[1][0] + p[1][1]}, py[2] = {p[0][0] + p[1][0], p[0][1] + p[1][1]};
  double q[2][2];
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) q[i][j] = p[i][0] * p[j][0] / (px[i] * py[0] + kEpsilon) + p[i][1] * p[j][1] / (px[i] * py[1] + kEpsilon);
  }
  balance(q);
  return sqrt(lesser_eigenvalue(q));
}

}  // namespace uam
