#include "kernels/morphology.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "contours.h"
#include "each_form.h"

namespace uam::cpu {

namespace {

constexpr double kPi = 3.14159265358979323846;

double area_of(const Hull& hull) {
  int64_t eighths = 0;
  for (int64_t i = 0; i < hull.size; ++i) {
    const Corner &a = hull.corners[i], &b = hull.corners[i + 1 < hull.size ? i + 1 : 0];
    eighths += a.x * b.y - a.y * b.x;
  }
  return double(eighths) / 8;
}

// The least width: reached with one side of the hull flat against the calipers.
double least_width(const Hull& hull, const Spacing& spacing) {
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < hull.size; ++i) {
    const Corner &a = hull.corners[i], &b = hull.corners[i + 1 < hull.size ? i + 1 : 0];
    int64_t farthest = 0;
    for (int64_t j = 0; j < hull.size; ++j) {
      const Corner& c = hull.corners[j];
      farthest = std::max(farthest, (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x));
    }
    const double dx = double(b.x - a.x) * spacing.x, dy = double(b.y - a.y) * spacing.y;
    least = std::min(least, double(farthest) * (spacing.x * spacing.y) / (2 * std::sqrt(dx * dx + dy * dy)));
  }
  return least;
}

// Hu's seven invariants of the central moments, each divided by area^(1 + order / 2). The first index counts rows.
void hu_moments(const Region& region, const Spread& spread, const Spacing& spacing, double* out) {
  double sums[4][4] = {};  // [power of y][power of x]
  for (int64_t y = 0; y < region.height; ++y) {
    const uint8_t* row = region.inside + y * region.stride;
    double powers[4] = {};
    for (int64_t x = region.spans[0][y]; x <= region.spans[1][y]; ++x) {
      if (!row[x]) continue;
      const double d = (double(x) - spread.mean_x) * spacing.x;
      powers[0] += 1;
      powers[1] += d;
      powers[2] += d * d;
      powers[3] += d * d * d;
    }
    const double d = (double(y) - spread.mean_y) * spacing.y;
    const double of_y[4] = {1, d, d * d, d * d * d};
    for (int p = 0; p < 4; ++p)
      for (int q = 0; p + q < 4; ++q) sums[p][q] += of_y[p] * powers[q];
  }
  const double pixel = spacing.x * spacing.y, area = double(region.n) * pixel;
  const double second = pixel / (area * area), third = pixel / (area * area * std::sqrt(area));
  const double m20 = sums[2][0] * second, m11 = sums[1][1] * second, m02 = sums[0][2] * second;
  const double m30 = sums[3][0] * third, m21 = sums[2][1] * third, m12 = sums[1][2] * third, m03 = sums[0][3] * third;
  const double a = m30 + m12, b = m21 + m03, c = m30 - 3 * m12, d = 3 * m21 - m03;
  out[0] = m20 + m02;
  out[1] = (m20 - m02) * (m20 - m02) + 4 * m11 * m11;
  out[2] = c * c + d * d;
  out[3] = a * a + b * b;
  out[4] = c * a * (a * a - 3 * b * b) + d * b * (3 * a * a - b * b);
  out[5] = (m20 - m02) * (a * a - b * b) + 4 * m11 * a * b;
  out[6] = d * a * (a * a - 3 * b * b) - c * b * (3 * a * a - b * b);
}

// Places on the contour by t, which runs from 0 to 2 pi along its length.
struct Angles {
  int64_t size;
  double *cosine, *sine;

  Angles(int64_t size, Scratch& scratch) : size(size), cosine(scratch.take<double>(size)), sine(scratch.take<double>(size)) {}
  void set(int64_t i, double t) {
    cosine[i] = std::cos(t);
    sine[i] = std::sin(t);
  }
};

// The contour as a curve of t. Its derivative is constant on each segment, so all that Fourier series need is where the vertices
// are, and how derivative and direction change there. Curvature is told at samples: the vertices, and as many points in equal
// steps on each segment as make at least kSamples in all.
struct Curve {
  double length;
  Angles vertices, samples;
  double *jump_x, *jump_y, *turn;  // at each vertex
  double* share;                   // of the length that is nearest to each sample

  Curve(const Contours& contours, const Spacing& spacing, Scratch& scratch)
      : length(0),
        vertices(contours.size, scratch),
        samples(contours.size * pieces_of(contours.size), scratch),
        jump_x(scratch.take<double>(contours.size)),
        jump_y(scratch.take<double>(contours.size)),
        turn(scratch.take<double>(contours.size)),
        share(scratch.take<double>(samples.size)) {
    const int64_t n = contours.size, pieces = pieces_of(n);
    double* step = scratch.take<double>(3 * n);  // length of the segment that leaves each vertex, and its direction
    double *to_x = step + n, *to_y = step + 2 * n;
    for (int64_t i = 0; i < n; ++i) {
      const Corner &a = contours.outer[i], &b = contours.outer[i + 1 < n ? i + 1 : 0];
      const double dx = double(b.x - a.x) * (spacing.x / 2), dy = double(b.y - a.y) * (spacing.y / 2);
      step[i] = std::sqrt(dx * dx + dy * dy);
      to_x[i] = dx / step[i];
      to_y[i] = dy / step[i];
      length += step[i];
    }
    double along = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t before = i > 0 ? i - 1 : n - 1;
      vertices.set(i, 2 * kPi * (along / length));
      // d/dt = length / (2 pi) d/ds
      jump_x[i] = (to_x[i] - to_x[before]) * (length / (2 * kPi));
      jump_y[i] = (to_y[i] - to_y[before]) * (length / (2 * kPi));
      turn[i] = std::atan2(to_x[before] * to_y[i] - to_y[before] * to_x[i], to_x[before] * to_x[i] + to_y[before] * to_y[i]);
      for (int64_t piece = 0; piece < pieces; ++piece) {
        samples.set(i * pieces + piece, 2 * kPi * ((along + step[i] * double(piece) / double(pieces)) / length));
        share[i * pieces + piece] = (step[piece > 0 ? i : before] + step[i]) / (2 * double(pieces) * length);
      }
      along += step[i];
    }
  }

  static int64_t pieces_of(int64_t size) { return (kSamples + size - 1) / size; }
};

// Sines and cosines of k t, from one harmonic to the next.
struct Harmonic : Angles {
  Harmonic(const Angles& first, Scratch& scratch) : Angles(first.size, scratch) {
    std::fill(cosine, cosine + size, 1.0);
    std::fill(sine, sine + size, 0.0);
  }
  void next(const Angles& first) {
    for (int64_t i = 0; i < size; ++i) {
      const double c = cosine[i], s = sine[i];
      cosine[i] = c * first.cosine[i] - s * first.sine[i];
      sine[i] = s * first.cosine[i] + c * first.sine[i];
    }
  }
};

// In four sums side by side, for the processor's sake; their order is fixed.
double dot(const double* a, const double* b, int64_t n) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int lane = 0; lane < 4; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// FSD: shares of octaves in the power of the direction of the tangent, less that of a circle. Its coefficient k is
// sum turn e^(-ikt) / (2 pi i k).
void turning_spectrum(const Curve& curve, double* out, Scratch& scratch) {
  Harmonic harmonic(curve.vertices, scratch);
  double total = 0;
  int k = 1;
  for (int band = 0; band < kSpectrumBands; ++band) {
    out[band] = 0;
    for (; k < 2 << band; ++k) {
      harmonic.next(curve.vertices);
      const double re = dot(curve.turn, harmonic.cosine, harmonic.size), im = dot(curve.turn, harmonic.sine, harmonic.size);
      out[band] += (re * re + im * im) / (double(k) * double(k));
    }
    total += out[band];
  }
  for (int band = 0; band < kSpectrumBands; ++band) out[band] /= total;
}

// The curvature, at the samples, of the contour smoothed by weights on its harmonics.
const double* smooth_curvature(const Curve& curve, Scratch& scratch) {
  const int64_t n = curve.samples.size;
  double* arrays = scratch.take<double>(5 * n);
  std::fill(arrays, arrays + 4 * n, 0.0);
  double *x1 = arrays, *y1 = arrays + n, *x2 = arrays + 2 * n, *y2 = arrays + 3 * n, *curvature = arrays + 4 * n;
  Harmonic vertex(curve.vertices, scratch), sample(curve.samples, scratch);
  for (int k = 1; k <= kSmoothHarmonics; ++k) {
    vertex.next(curve.vertices);
    sample.next(curve.samples);
    // Real series of the derivative of x: (a sin kt - b cos kt) / (pi k), of y likewise.
    const double ax = dot(curve.jump_x, vertex.cosine, vertex.size), bx = dot(curve.jump_x, vertex.sine, vertex.size);
    const double ay = dot(curve.jump_y, vertex.cosine, vertex.size), by = dot(curve.jump_y, vertex.sine, vertex.size);
    const double ratio = double(k) / kSmoothWidth, weight = std::exp(-ratio * ratio / 2) / kPi, first = weight / double(k);
    for (int64_t i = 0; i < n; ++i) {
      const double c = sample.cosine[i], s = sample.sine[i];
      x1[i] += first * (ax * s - bx * c);
      y1[i] += first * (ay * s - by * c);
      x2[i] += weight * (ax * c + bx * s);
      y2[i] += weight * (ay * c + by * s);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    const double speed = x1[i] * x1[i] + y1[i] * y1[i];
    curvature[i] = (x1[i] * y2[i] - y1[i] * x2[i]) / (speed * std::sqrt(speed));
  }
  return curvature;
}

void describe_curvature(const Curve& curve, double* out, Scratch& scratch) {
  const double* curvature = smooth_curvature(curve, scratch);
  const double limit = kConcaveBelow * 2 * kPi / curve.length;
  double mean = 0, variance = 0, low = curvature[0], high = curvature[0];
  int64_t concavities = 0;
  for (int64_t i = 0; i < curve.samples.size; ++i) {
    mean += curve.share[i] * curvature[i];
    low = std::min(low, curvature[i]);
    high = std::max(high, curvature[i]);
    concavities += curvature[i] < limit && !(curvature[i > 0 ? i - 1 : curve.samples.size - 1] < limit);
  }
  for (int64_t i = 0; i < curve.samples.size; ++i) variance += curve.share[i] * (curvature[i] - mean) * (curvature[i] - mean);
  out[Morphology::kConcavities] = double(concavities);
  out[Morphology::kCurvatureMaximum] = high;
  out[Morphology::kCurvatureMean] = mean;
  out[Morphology::kCurvatureMinimum] = low;
  out[Morphology::kCurvatureStandardDeviation] = std::sqrt(variance);
}

// Degrees from the downward axis, as scikit-image turns; 0 where no direction is longest.
double orientation_of(const Spread& spread) {
  if (spread.major - spread.minor <= 1e-12 * spread.major) return 0;
  const double degrees = std::atan2(2 * spread.xy, spread.yy - spread.xx) * (90 / kPi);
  return degrees < -90 + 1e-9 ? 90 : degrees;  // level is 90, whichever way rounding tips it
}

void describe(const Morphology& p, const Region& region, double* out, Scratch& scratch) {
  const double pixel = p.spacing.x * p.spacing.y, area = double(region.n) * pixel;
  const Mesh mesh = measure_mesh(region, p.spacing);
  const Spread spread = measure_spread(region, p.spacing);
  const Hull hull = hull_of_corners(region, scratch);
  const Contours contours = trace_contours(region, scratch);
  const Curve curve(contours, p.spacing, scratch);
  const double most = diameter_of(hull, p.spacing), least = least_width(hull, p.spacing);
  out[Morphology::kArea] = area;
  out[Morphology::kAspectRatio] = most / least;
  out[Morphology::kBoundingBoxArea] = double(region.width) * double(region.height) * pixel;
  out[Morphology::kCircularity] = 4 * kPi * mesh.area / (mesh.perimeter * mesh.perimeter);
  out[Morphology::kConvexArea] = area_of(hull) * pixel;
  out[Morphology::kEccentricity] = spread.major > 0 ? std::sqrt(1 - spread.minor / spread.major) : 0;
  out[Morphology::kEquivalentDiameter] = 2 * std::sqrt(area / kPi);
  out[Morphology::kEulerNumber] = double(contours.parts - contours.holes);
  out[Morphology::kExtent] = area / out[Morphology::kBoundingBoxArea];
  out[Morphology::kFilledArea] = contours.holes > 0 ? double(count_filled(region, scratch)) * pixel : area;
  out[Morphology::kHoles] = double(contours.holes);
  out[Morphology::kMaximumFeret] = most;
  out[Morphology::kMinimumFeret] = least;
  out[Morphology::kOrientation] = orientation_of(spread);
  out[Morphology::kRoundness] = 4 * area / (kPi * most * most);
  out[Morphology::kSolidity] = area / out[Morphology::kConvexArea];
  turning_spectrum(curve, out + Morphology::kFsd1, scratch);
  hu_moments(region, spread, p.spacing, out + Morphology::kHu1);
  describe_curvature(curve, out, scratch);
}

}  // namespace

void morphology(const Morphology& p) { each_form(p, describe); }

}  // namespace uam::cpu
