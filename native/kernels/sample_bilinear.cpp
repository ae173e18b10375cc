#include "kernels/sample_bilinear.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/sample_bilinear.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline int64_t points_per_block(int64_t channels) { return std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, channels)); }

void sample_bilinear_fwd(const SampleBilinearFwd& p) {
  const int64_t channels = p.channels;
  parallel_for(p.points, points_per_block(channels), [&](int64_t begin, int64_t end) {
    for (int64_t point = begin; point < end; ++point) {
      const Between x(p.position.data[2 * point], p.width), y(p.position.data[2 * point + 1], p.height);
      const float* map = p.map.data + p.image.data[point] * p.height * p.width * channels;
      const float *above = map + y.low * p.width * channels, *below = map + y.high * p.width * channels;
      const vf u = set1(x.part), v = set1(y.part), one = set1(1.f);
      float* out = p.out.data + point * channels;
      for (int64_t c = 0; c < channels; c += W) {
        const int n = int(std::min<int64_t>(W, channels - c));
        const vf top = fma(u, load_n(above + x.high * channels + c, n), (one - u) * load_n(above + x.low * channels + c, n));
        const vf bottom = fma(u, load_n(below + x.high * channels + c, n), (one - u) * load_n(below + x.low * channels + c, n));
        store_n(out + c, fma(v, bottom, (one - v) * top), n);
      }
    }
  });
}

inline void position_gradient(const SampleBilinearBwd& p) {
  const int64_t channels = p.channels;
  parallel_for(p.points, points_per_block(channels), [&](int64_t begin, int64_t end) {
    for (int64_t point = begin; point < end; ++point) {
      const Between x(p.position.data[2 * point], p.width), y(p.position.data[2 * point + 1], p.height);
      const float* map = p.map.data + p.image.data[point] * p.height * p.width * channels;
      const float *above = map + y.low * p.width * channels, *below = map + y.high * p.width * channels;
      const float* dout = p.dout.data + point * channels;
      const vf u = set1(x.part), v = set1(y.part), one = set1(1.f);
      vf along_x = {}, along_y = {};
      for (int64_t c = 0; c < channels; c += W) {
        const int n = int(std::min<int64_t>(W, channels - c));
        const vf slope = load_n(dout + c, n);
        const vf a = load_n(above + x.low * channels + c, n), b = load_n(above + x.high * channels + c, n);
        const vf d = load_n(below + x.low * channels + c, n), e = load_n(below + x.high * channels + c, n);
        along_x = fma(slope, fma(v, e - d, (one - v) * (b - a)), along_x);
        along_y = fma(slope, fma(u, e - b, (one - u) * (d - a)), along_y);
      }
      p.dposition.data[2 * point] = x.inside ? sum(along_x) : 0.f;
      p.dposition.data[2 * point + 1] = y.inside ? sum(along_y) : 0.f;
    }
  });
}

// A map row belongs to one block, which adds the points of the cells above and below it in their order.
inline void map_gradient(const SampleBilinearBwd& p) {
  const int64_t channels = p.channels, rows = p.batch * p.height, row_floats = p.width * channels;
  if (rows == 0 || row_floats == 0) return;
  Scratch scratch;
  int64_t* start = scratch.take<int64_t>(rows + 1);  // points whose upper row is r: order[start[r] .. start[r + 1]), rising
  int64_t* order = scratch.take<int64_t>(p.points);
  int64_t* row_of = scratch.take<int64_t>(p.points);
  std::memset(start, 0, size_t(rows + 1) * sizeof(int64_t));
  for (int64_t point = 0; point < p.points; ++point) {
    row_of[point] = p.image.data[point] * p.height + Between(p.position.data[2 * point + 1], p.height).low;
    ++start[row_of[point] + 1];
  }
  for (int64_t row = 0; row < rows; ++row) start[row + 1] += start[row];
  int64_t* next = scratch.take<int64_t>(rows);
  std::memcpy(next, start, size_t(rows) * sizeof(int64_t));
  for (int64_t point = 0; point < p.points; ++point) order[next[row_of[point]]++] = point;

  parallel_for(rows, std::max<int64_t>(1, (1 << 14) / row_floats), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* dmap = p.dmap.data + row * row_floats;
      std::memset(dmap, 0, size_t(row_floats) * sizeof(float));
      const int64_t line = row % p.height;
      const auto add_points = [&](int64_t upper_row, bool lower) {
        for (int64_t index = start[upper_row]; index < start[upper_row + 1]; ++index) {
          const int64_t point = order[index];
          const Between x(p.position.data[2 * point], p.width), y(p.position.data[2 * point + 1], p.height);
          const vf weight = set1(lower ? y.part : 1.f - y.part), u = set1(x.part), one = set1(1.f);
          const float* dout = p.dout.data + point * channels;
          for (int64_t c = 0; c < channels; c += W) {
            const int n = int(std::min<int64_t>(W, channels - c));
            const vf slope = weight * load_n(dout + c, n);
            float *left = dmap + x.low * channels + c, *right = dmap + x.high * channels + c;
            store_n(left, fma(one - u, slope, load_n(left, n)), n);
            store_n(right, fma(u, slope, load_n(right, n)), n);
          }
        }
      };
      if (line > 0) add_points(row - 1, true);
      add_points(row, false);
      if (line == p.height - 1) add_points(row, true);  // on the last row both rows of the cell are this one
    }
  });
}

void sample_bilinear_bwd(const SampleBilinearBwd& p) {
  if (p.dposition) position_gradient(p);
  if (p.dmap) map_gradient(p);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

template <class P> void check_points(const P& p) {
  if (p.points > 0 && (p.height == 0 || p.width == 0))
    throw KernelError("UAM_SHAPE", "sample_bilinear: a map without pixels has no values to sample");
  for (int64_t i = 0; i < p.points; ++i)
    if (p.image.data[i] < 0 || p.image.data[i] >= p.batch) {
      const std::string expected = "image[" + std::to_string(i) + "] must be from 0 to " + std::to_string(p.batch - 1);
      throw KernelError("UAM_ARGUMENT", "sample_bilinear: " + expected + ", received " + std::to_string(p.image.data[i]));
    }
}

void sample_bilinear_fwd(const SampleBilinearFwd& p) {
  check_points(p);
  UAM_BEST(sample_bilinear_fwd)(p);
}

void sample_bilinear_bwd(const SampleBilinearBwd& p) {
  check_points(p);
  UAM_BEST(sample_bilinear_bwd)(p);
}

}  // namespace uam::cpu
#endif
