// The greatest |eigenvalue| of a symmetric matrix: what the maximal correlation coefficient of a GLCM comes down to.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace uam {

// The eigenvalues of the tridiagonal matrix with diagonal d [n] and off-diagonal e [n - 1] (e has room for n), in d, in no order:
// QL with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson, Numer. Math. 11, 1968).
inline void tridiagonal_eigenvalues(double* d, double* e, int64_t n) {
  e[n - 1] = 0;
  for (int64_t l = 0; l < n; ++l) {
    for (int iteration = 0; iteration < 60; ++iteration) {  // 2 or 3 do; 60 cannot hang on a NaN
      int64_t m = l;
      while (m + 1 < n && std::fabs(e[m]) > 1e-17 + 2.3e-16 * (std::fabs(d[m]) + std::fabs(d[m + 1]))) ++m;
      if (m == l) break;
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      double r = std::sqrt(g * g + 1), s = 1, c = 1, p = 0;
      g = d[m] - d[l] + e[l] / (g + std::copysign(r, g));
      int64_t i = m - 1;
      for (; i >= l; --i) {
        const double f = s * e[i], b = c * e[i];
        e[i + 1] = r = std::sqrt(f * f + g * g);
        if (r == 0) break;
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
      }
      if (i >= l) {  // the chain fell apart at i + 1
        d[i + 1] -= p;
      } else {
        d[l] -= p;
        e[l] = g;
      }
      e[m] = 0;
    }
  }
}

inline double greatest_magnitude(const double* values, int64_t n) {
  double greatest = 0;
  for (int64_t i = 0; i < n; ++i) greatest = std::max(greatest, std::fabs(values[i]));
  return greatest;
}

// Householder: the symmetric matrix a [n, n] (its lower triangle; destroyed) becomes tridiagonal, d [n] and e [n].
inline void tridiagonalise(double* a, int64_t n, double* d, double* e) {
  for (int64_t i = n - 1; i > 0; --i) {
    double* row = a + i * n;
    double norm = 0;
    for (int64_t k = 0; k < i; ++k) norm += row[k] * row[k];
    const double last = row[i - 1], length = std::sqrt(norm);
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
    double projection = 0;
    for (int64_t j = 0; j < i; ++j) {  // e[0, i - 1) is free until its turn: p = A v / half
      double sum = 0;
      for (int64_t k = 0; k <= j; ++k) sum += a[j * n + k] * row[k];
      for (int64_t k = j + 1; k < i; ++k) sum += a[k * n + j] * row[k];
      d[j] = sum / half;
      projection += d[j] * row[j];
    }
    projection /= 2 * half;
    for (int64_t j = 0; j < i; ++j) d[j] -= projection * row[j];
    for (int64_t j = 0; j < i; ++j) {
      for (int64_t k = 0; k <= j; ++k) a[j * n + k] -= row[j] * d[k] + d[j] * row[k];
    }
  }
  d[0] = a[0];
}

// a [n, n] is destroyed; work [2 n].
inline double greatest_eigenvalue_magnitude(double* a, int64_t n, double* work) {
  if (n == 0) return 0;
  if (n == 1) return std::fabs(a[0]);
  if (n == 2) {
    const double middle = (a[0] + a[3]) / 2, radius = std::hypot((a[0] - a[3]) / 2, a[2]);
    return std::fabs(middle) + radius;
  }
  tridiagonalise(a, n, work, work + n);
  tridiagonal_eigenvalues(work, work + n, n);
  return greatest_magnitude(work, n);
}

// The same for a matrix that is only known by what it does to a vector, apply(x, y): y = A x. Lanczos with full
// reorthogonalisation from a fixed start, for matrices too large to reduce whole.
template <class F> double greatest_eigenvalue_magnitude_of(int64_t n, F&& apply) {
  const int64_t most = std::min<int64_t>(n, 200);
  std::vector<double> basis(static_cast<size_t>(n), 0.0), next(basis), d, e;
  double norm = 0;
  uint32_t state = 1;
  for (double& x : basis) {
    state = state * 1664525u + 1013904223u;
    x = double(state) / 4294967296.0 - 0.5;
    norm += x * x;
  }
  for (double& x : basis) x /= std::sqrt(norm);
  double greatest = 0;
  for (int64_t step = 0; step < most; ++step) {
    const double* v = basis.data() + step * n;
    apply(v, next.data());
    double alpha = 0;
    for (int64_t i = 0; i < n; ++i) alpha += v[i] * next[size_t(i)];
    d.push_back(alpha);
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t k = 0; k <= step; ++k) {
        const double* u = basis.data() + k * n;
        double dot = 0;
        for (int64_t i = 0; i < n; ++i) dot += u[i] * next[size_t(i)];
        for (int64_t i = 0; i < n; ++i) next[size_t(i)] -= dot * u[i];
      }
    }
    double beta = 0;
    for (double x : next) beta += x * x;
    beta = std::sqrt(beta);
    std::vector<double> values = d, off = e;
    off.push_back(0);
    tridiagonal_eigenvalues(values.data(), off.data(), step + 1);
    const double now = greatest_magnitude(values.data(), step + 1);
    const bool settled = step >= 20 && std::fabs(now - greatest) <= 1e-13 * now;
    greatest = now;
    if (settled || beta <= 1e-13) break;
    e.push_back(beta);
    basis.reserve(basis.size() + size_t(n));
    for (double x : next) basis.push_back(x / beta);
  }
  return greatest;
}

}  // namespace uam
