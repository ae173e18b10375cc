// The greatest |eigenvalue| of a symmetric matrix: what the maximal correlation coefficient of a GLCM comes down to.
#pragma once
#include <cmath>
#include <cstdint>

#include "scalar.h"

namespace uam {

// A tridiagonal matrix: diagonal d [n], squares of the off-diagonal e2 [n - 1]; `sign` -1 means minus the matrix.
struct Tridiagonal {
  const double *d, *e2;
  int64_t n;
  double sign;
};

// The characteristic polynomial at x with its first derivative and half its second, all three up to a common factor.
struct Polynomial {
  double value, slope, bend;
  bool above;  // whether x exceeds every eigenvalue
};

UAM_HD inline Polynomial characteristic(const Tridiagonal& t, double x) {
  double p = 1, slope = 0, bend = 0, p1 = 0, slope1 = 0, bend1 = 0, e2 = 0;
  for (int64_t k = 0; k < t.n; ++k) {
    const double u = x - t.sign * t.d[k];
    const double p2 = u * p - e2 * p1, slope2 = p + u * slope - e2 * slope1, bend2 = slope + u * bend - e2 * bend1;
    if (!(p2 > 0)) return {0, 1, 0, false};  // a Sturm sequence: positive throughout above the greatest eigenvalue alone
    p1 = p, slope1 = slope, bend1 = bend;
    p = p2, slope = slope2, bend = bend2;
    e2 = k + 1 < t.n ? t.e2[k] : 0;
    if (p < 1e-150) {  // hundreds of small factors would vanish
      for (double* value : {&p, &slope, &bend, &p1, &slope1, &bend1}) *value *= 1e150;
    }
  }
  return {p, slope, bend, true};
}

// Its greatest eigenvalue. Laguerre's iteration from above: it cannot pass the eigenvalue, and settles cubically (where two are
// close, linearly, which the limit allows for). Its first step, from infinity, needs the mean and the spread of the eigenvalues alone.
UAM_HD inline double greatest_eigenvalue(const Tridiagonal& t) {
  double trace = 0, squares = 0;
  for (int64_t k = 0; k < t.n; ++k) trace += t.sign * t.d[k];
  const double n = double(t.n), mean = trace / n;
  for (int64_t k = 0; k < t.n; ++k) squares += (t.sign * t.d[k] - mean) * (t.sign * t.d[k] - mean) + (k + 1 < t.n ? 2 * t.e2[k] : 0);
  double x = mean + sqrt((n - 1) / n * squares);
  const double settled = 4e-16 * (fabs(mean) + sqrt(squares));
  for (int iteration = 0; iteration < 200; ++iteration) {
    const Polynomial p = characteristic(t, x);
    if (!p.above) break;
    const double g = p.slope / p.value, h = g * g - 2 * p.bend / p.value;
    const double step = n / (g + sqrt(most(0.0, (n - 1) * (n * h - g * g))));
    x -= step;
    if (!(step > settled)) break;
  }
  return x;
}

// The greatest |eigenvalue|; most often it belongs to the greatest eigenvalue.
UAM_HD inline double greatest_magnitude(const double* d, const double* e2, int64_t n) {
  const double greatest = greatest_eigenvalue({d, e2, n, 1});
  const Tridiagonal minus{d, e2, n, -1};
  if (greatest > 0 && characteristic(minus, greatest).above) return greatest;
  return most(greatest, greatest_eigenvalue(minus));
}

// x . y in four sums, which need not wait for one another.
UAM_HD inline double dot_product(const double* x, const double* y, int64_t n) {
  double a = 0, b = 0, c = 0, d = 0;
  int64_t k = 0;
  for (; k + 4 <= n; k += 4) {
    a += x[k] * y[k];
    b += x[k + 1] * y[k + 1];
    c += x[k + 2] * y[k + 2];
    d += x[k + 3] * y[k + 3];
  }
  for (; k < n; ++k) a += x[k] * y[k];
  return (a + b) + (c + d);
}

// Householder: the symmetric matrix a [n, n] (its lower triangle; destroyed) becomes tridiagonal, d [n] and e [n].
UAM_HD inline void tridiagonalise(double* a, int64_t n, double* d, double* e) {
  for (int64_t i = n - 1; i > 0; --i) {
    double* row = a + i * n;
    const double norm = dot_product(row, row, i), last = row[i - 1], length = sqrt(norm);
    if (i == 1 || norm - last * last == 0) {  // nothing left of the diagonal's neighbour
      e[i - 1] = last;
      d[i] = row[i];
      continue;
    }
    const double alpha = last >= 0 ? -length : length;
    e[i - 1] = alpha;
    d[i] = row[i];
    row[i - 1] = last - alpha;
    const double half = norm - last * alpha;  // |v|^2 / 2
    for (int64_t j = 0; j < i; ++j) {         // d[0, i) is free until its turn: A v, where each row of the lower triangle is also a column
      d[j] = dot_product(a + j * n, row, j + 1);
      for (int64_t k = 0; k < j; ++k) d[k] += a[j * n + k] * row[j];
    }
    for (int64_t j = 0; j < i; ++j) d[j] /= half;
    double projection = dot_product(d, row, i);
    projection /= 2 * half;
    for (int64_t j = 0; j < i; ++j) d[j] -= projection * row[j];
    for (int64_t j = 0; j < i; ++j) {
      const double v = row[j], p = d[j];
      for (int64_t k = 0; k <= j; ++k) a[j * n + k] -= v * d[k] + p * row[k];
    }
  }
  d[0] = a[0];
}

// a [n, n] is destroyed; work [2 n].
UAM_HD inline double greatest_eigenvalue_magnitude(double* a, int64_t n, double* work) {
  if (n == 0) return 0;
  if (n == 1) return fabs(a[0]);
  if (n == 2) {
    const double middle = (a[0] + a[3]) / 2, radius = hypot((a[0] - a[3]) / 2, a[2]);
    return fabs(middle) + radius;
  }
  double *d = work, *e = work + n;
  tridiagonalise(a, n, d, e);
  for (int64_t k = 0; k + 1 < n; ++k) e[k] *= e[k];
  return greatest_magnitude(d, e, n);
}

// The same for a matrix that is only known by what it does to a vector, apply(x, y): y = A x. Lanczos with full
// reorthogonalisation from a fixed start, for matrices too large to reduce whole.
constexpr int64_t kLanczosSteps = 200;
template <class Work, class F> UAM_HD double greatest_eigenvalue_magnitude_of(int64_t n, F&& apply, Work& work) {
  const int64_t steps = least<int64_t>(n, kLanczosSteps);
  double** basis = work.template take<double*>(steps + 1);
  double *d = work.template take<double>(steps), *e2 = work.template take<double>(steps), *next = work.template take<double>(n);
  basis[0] = work.template take<double>(n);
  double norm = 0;
  uint32_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    basis[0][i] = double(state) / 4294967296.0 - 0.5;
    norm += basis[0][i] * basis[0][i];
  }
  for (int64_t i = 0; i < n; ++i) basis[0][i] /= sqrt(norm);
  double greatest = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const double* v = basis[step];
    apply(v, next);
    double alpha = 0;
    for (int64_t i = 0; i < n; ++i) alpha += v[i] * next[i];
    d[step] = alpha;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t k = 0; k <= step; ++k) {
        const double* u = basis[k];
        double dot = 0;
        for (int64_t i = 0; i < n; ++i) dot += u[i] * next[i];
        for (int64_t i = 0; i < n; ++i) next[i] -= dot * u[i];
      }
    }
    double beta = 0;
    for (int64_t i = 0; i < n; ++i) beta += next[i] * next[i];
    beta = sqrt(beta);
    const double now = greatest_magnitude(d, e2, step + 1);
    const bool settled = step >= 20 && fabs(now - greatest) <= 1e-13 * now;
    greatest = now;
    if (settled || beta <= 1e-13) break;
    e2[step] = beta * beta;
    basis[step + 1] = work.template take<double>(n);
    for (int64_t i = 0; i < n; ++i) basis[step + 1][i] = next[i] / beta;
  }
  return greatest;
}

}  // namespace uam
