#include "kernels/recursive_gaussian.h"

#include <algorithm>

#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {

// Lines that are filtered side by side: the recursion waits for itself along a line, not across lines.
constexpr int64_t kLanes = 8;

// Lines [first, first + lanes) of the plane, gathered as in[i * kLanes + lane].
struct Lines {
  int64_t length, line_stride, step;
};

static void filter_lines(const RecursiveGaussian& p, const Lines& lines, int64_t first, int64_t lanes, double* in, double* forward) {
  const double *n = p.coefficients.data, *d = n + 4, *m = n + 8;
  const double before = n[12], after = n[13];
  const double* x = p.x.data + first * lines.line_stride;
  double* y = p.y.data + first * lines.line_stride;
  const int64_t length = lines.length;

  for (int64_t i = 0; i < length; ++i)
    for (int64_t lane = 0; lane < kLanes; ++lane) in[i * kLanes + lane] = x[std::min(lane, lanes - 1) * lines.line_stride + i * lines.step];

  double x1[kLanes], x2[kLanes], x3[kLanes], x4[kLanes], f1[kLanes], f2[kLanes], f3[kLanes], f4[kLanes];
  const auto settle = [&](const double* end, double gain) {
    for (int64_t l = 0; l < kLanes; ++l) {
      x1[l] = x2[l] = x3[l] = x4[l] = end[l];
      f1[l] = f2[l] = f3[l] = f4[l] = end[l] * gain;
    }
  };

  settle(in, before);
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const double x0 = in[i * kLanes + l];
      const double f = n[0] * x0 + n[1] * x1[l] + n[2] * x2[l] + n[3] * x3[l] - (d[0] * f1[l] + d[1] * f2[l] + d[2] * f3[l] + d[3] * f4[l]);
      x3[l] = x2[l], x2[l] = x1[l], x1[l] = x0;
      f4[l] = f3[l], f3[l] = f2[l], f2[l] = f1[l], f1[l] = f;
      forward[i * kLanes + l] = f;
    }
  }

  settle(in + (length - 1) * kLanes, after);
  for (int64_t i = length - 1; i >= 0; --i) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const double b =
          m[0] * x1[l] + m[1] * x2[l] + m[2] * x3[l] + m[3] * x4[l] - (d[0] * f1[l] + d[1] * f2[l] + d[2] * f3[l] + d[3] * f4[l]);
      x4[l] = x3[l], x3[l] = x2[l], x2[l] = x1[l], x1[l] = in[i * kLanes + l];
      f4[l] = f3[l], f3[l] = f2[l], f2[l] = f1[l], f1[l] = b;
      forward[i * kLanes + l] += b;
    }
  }

  for (int64_t i = 0; i < length; ++i) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      double& out = y[lane * lines.line_stride + i * lines.step];
      out = (p.accumulate ? out : 0.0) + p.scale * forward[i * kLanes + lane];
    }
  }
}

void recursive_gaussian(const RecursiveGaussian& p) {
  if (p.height == 0 || p.width == 0) return;
  const bool along_x = p.axis == PlaneAxis::x;
  const Lines lines = along_x ? Lines{p.width, p.width, 1} : Lines{p.height, 1, p.width};
  const int64_t count = along_x ? p.height : p.width;
  parallel_for(count, kLanes, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    double* in = scratch.take<double>(lines.length * kLanes);
    double* forward = scratch.take<double>(lines.length * kLanes);
    filter_lines(p, lines, begin, end - begin, in, forward);
  });
}

}  // namespace uam::cpu
