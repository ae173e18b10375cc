#include "kernels/reduce.h"

#include <vector>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/reduce.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

// Sums of float32 drift over long axes. Lanes add up at most kShort numbers in float32; those sums meet in double.
inline constexpr int64_t kShort = 256;
// Elements (inner == 1) or rows of an axis that one task sums. Fixed, so that the result does not depend on threads.
inline constexpr int64_t kSegment = 1 << 14;
inline constexpr int64_t kRows = 1 << 10;

UAM_INLINE double sum_run(const float* x, int64_t n) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kShort * W) {
    const int64_t end = n - begin < kShort * W ? n : begin + kShort * W;
    vf s0 = set1(0.f), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = begin;
    for (; i + 4 * W <= end; i += 4 * W) {
      s0 = s0 + load(x + i);
      s1 = s1 + load(x + i + W);
      s2 = s2 + load(x + i + 2 * W);
      s3 = s3 + load(x + i + 3 * W);
    }
    for (; i + W <= end; i += W) s0 = s0 + load(x + i);
    if (i < end) s1 = s1 + load_n(x + i, int(end - i));
    total += sum((s0 + s1) + (s2 + s3));
  }
  return total;
}

// totals[i] += sum of `rows` rows of x at column i
UAM_INLINE void sum_rows(const float* x, int64_t rows, int64_t inner, double* totals, float* part) {
  for (int64_t begin = 0; begin < rows; begin += kShort) {
    const int64_t end = rows - begin < kShort ? rows : begin + kShort;
    for (int64_t i = 0; i < inner; ++i) part[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * inner;
      int64_t i = 0;
      for (; i + W <= inner; i += W) store(part + i, load(part + i) + load(from + i));
      if (i < inner) store_n(part + i, load_n(part + i, int(inner - i)) + load_n(from + i, int(inner - i)), int(inner - i));
    }
    for (int64_t i = 0; i < inner; ++i) totals[i] += part[i];
  }
}

void reduce_sum(const Reduce& p) {
  const int64_t length = p.inner == 1 ? kSegment : kRows;
  const int64_t segments = p.axis > length ? (p.axis + length - 1) / length : 1;
  std::vector<double> partial(size_t(p.outer * segments * p.inner), 0.0);
  // Tasks are (outer, segment) pairs; short ones go together.
  const int64_t work = (p.axis < length ? p.axis : length) * p.inner;
  const int64_t grain = work > 0 && work < kSegment ? kSegment / work : 1;
  parallel_for(p.outer * segments, grain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    float* part = p.inner == 1 ? nullptr : scratch.take<float>(p.inner);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / segments, first = (task % segments) * length;
      const int64_t rows = p.axis - first < length ? p.axis - first : length;
      const float* x = p.x.data + (o * p.axis + first) * p.inner;
      if (p.inner == 1) partial[size_t(task)] = sum_run(x, rows);
      else sum_rows(x, rows, p.inner, &partial[size_t(task * p.inner)], part);
    }
  });
  for (int64_t o = 0; o < p.outer; ++o) {
    for (int64_t i = 0; i < p.inner; ++i) {
      double total = 0;
      for (int64_t s = 0; s < segments; ++s) total += partial[size_t((o * segments + s) * p.inner + i)];
      p.y.data[o * p.inner + i] = float(total * p.scale);
    }
  }
}

// Whether `a` takes the place of `b`: NaN does, and nothing takes the place of NaN.
template <bool greatest> inline bool better(float a, float b) { return b == b && (a != a || (greatest ? a > b : a < b)); }

template <bool greatest> void reduce_extreme(const Reduce& p) {
  if (p.axis == 0 && p.outer * p.inner > 0) throw KernelError("UAM_SHAPE", "the greatest or least of no elements does not exist");
  parallel_for(p.outer, 1 + (1 << 14) / (1 + p.axis * p.inner), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* x = p.x.data + o * p.axis * p.inner;
      float* y = p.y.data + o * p.inner;
      int32_t* index = p.index ? p.index.data + o * p.inner : nullptr;
      for (int64_t i = 0; i < p.inner; ++i) {
        float best = x[i];
        int64_t at = 0;
        for (int64_t a = 1; a < p.axis; ++a) {
          if (!better<greatest>(x[a * p.inner + i], best)) continue;
          best = x[a * p.inner + i];
          at = a;
        }
        y[i] = best;
        if (index) index[i] = int32_t(at);
      }
    }
  });
}

void reduce(const Reduce& p) {
  if (p.op == ReduceOp::sum) reduce_sum(p);
  else if (p.op == ReduceOp::max) reduce_extreme<true>(p);
  else reduce_extreme<false>(p);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void reduce(const Reduce& p) { UAM_BEST(reduce)(p); }
}  // namespace uam::cpu
#endif
