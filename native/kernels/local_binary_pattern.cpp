#include "kernels/local_binary_pattern.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {

// Where a coordinate falls between two rows or columns; -1 stands for one outside the plane, where values are 0.
struct Between {
  int64_t low, high;
  double weight;  // of high
};

static Between between(int64_t at, double offset, int64_t length) {
  const double place = double(at) + offset, low = std::floor(place), high = std::ceil(place);
  const auto inside = [=](double index) { return index >= 0 && index < double(length) ? int64_t(index) : int64_t(-1); };
  return {inside(low), inside(high), place - low};
}

static double code(BinaryPattern method, uint32_t bits, const double* texture, int samples) {
  if (method == BinaryPattern::plain) return double(bits);
  if (method == BinaryPattern::rotation) {
    uint32_t least = bits;
    for (int i = 1; i < samples; ++i) {
      bits = (bits >> 1) | ((bits & 1) << (samples - 1));
      least = std::min(least, bits);
    }
    return double(least);
  }
  if (method == BinaryPattern::variance) {
    double sum = 0, squares = 0;
    for (int i = 0; i < samples; ++i) {
      sum += texture[i];
      squares += texture[i] * texture[i];
    }
    const double variance = (squares - sum * sum / samples) / samples;
    return variance != 0 ? variance : std::numeric_limits<double>::quiet_NaN();
  }
  int changes = 0, ones = 0;
  for (int i = 0; i < samples; ++i) {
    ones += int(bits >> i & 1);
    if (i + 1 < samples) changes += int((bits >> i ^ bits >> (i + 1)) & 1);
  }
  return changes <= 2 ? ones : samples + 1;
}

void local_binary_pattern(const LocalBinaryPattern& p) {
  const int64_t h = p.height, w = p.width;
  if (p.samples < 1 || p.samples > kMostLbpSamples) throw KernelError("UAM_ARGUMENT", "samples must be from 1 to 31");
  const int samples = int(p.samples);
  for (int s = 0; s < samples; ++s) {
    if (!(std::fabs(p.row_offsets.data[s]) <= 1e6) || !(std::fabs(p.column_offsets.data[s]) <= 1e6))
      throw KernelError("UAM_ARGUMENT", "rowOffsets and columnOffsets must be at most 1e6 in magnitude");
  }
  Scratch scratch;
  Between* columns = scratch.take<Between>(w * samples);  // [w, samples]
  for (int64_t c = 0; c < w; ++c)
    for (int s = 0; s < samples; ++s) columns[c * samples + s] = between(c, p.column_offsets.data[s], w);

  parallel_for(h, 8, [&](int64_t begin, int64_t end) {
    double texture[kMostLbpSamples];
    Between rows[kMostLbpSamples];
    const auto pixel = [&](int64_t r, int64_t c) { return r < 0 || c < 0 ? 0.0 : p.x.data[r * w + c]; };
    for (int64_t r = begin; r < end; ++r) {
      for (int s = 0; s < samples; ++s) rows[s] = between(r, p.row_offsets.data[s], h);
      for (int64_t c = 0; c < w; ++c) {
        const double centre = p.x.data[r * w + c];
        uint32_t bits = 0;
        for (int s = 0; s < samples; ++s) {
          const Between &row = rows[s], &column = columns[c * samples + s];
          const double top = (1 - column.weight) * pixel(row.low, column.low) + column.weight * pixel(row.low, column.high);
          const double bottom = (1 - column.weight) * pixel(row.high, column.low) + column.weight * pixel(row.high, column.high);
          texture[s] = (1 - row.weight) * top + row.weight * bottom;
          if (texture[s] - centre >= 0) bits |= uint32_t(1) << s;
        }
        p.y.data[r * w + c] = code(p.method, bits, texture, samples);
      }
    }
  });
}

}  // namespace uam::cpu
