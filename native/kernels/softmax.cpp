#include "kernels/softmax.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/softmax.cpp"
#include "simd.h"

#include "rows.h"

namespace uam::cpu::UAM_ISA {

// --- the axis is contiguous: vectors run along it -------------------------------------------------------------------

template <bool Log> UAM_INLINE void forward_row(const float* x, float* out, int64_t n) {
  const vf lowest = set1(-__builtin_inff());
  vf top[2] = {lowest, lowest};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    top[0] = max_of(load(x + i), top[0]);
    top[1] = max_of(load(x + i + W), top[1]);
  }
  for_lanes(n - i, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA { top[0] = max_of(lanes.keep(lanes.load(x + i + j), lowest), top[0]); });
  const vf shift = set1(highest(max_of(top[0], top[1])));

  const auto s = sum_row<1>(n, [&](int64_t j, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
    const vf e = exp(lanes.load(x + j) - shift);
    if (!Log) lanes.store(out + j, e);
    sums[0] += lanes.keep(e);
  });
  const vf factor = set1(float(1 / s[0])), log_sum = set1(float(std::log(s[0])));
  for_lanes(n, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
    lanes.store(out + j, Log ? (lanes.load(x + j) - shift) - log_sum : lanes.load(out + j) * factor);
  });
}

template <bool Log> UAM_INLINE void backward_row(const float* out, const float* d_out, float* d_x, int64_t n) {
  const auto s = sum_row<1>(n, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
    const vf dy = lanes.load(d_out + i);
    sums[0] = Log ? sums[0] + dy : fma(dy, lanes.load(out + i), sums[0]);
  });
  const vf total = set1(float(s[0]));
  for_lanes(n, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
    const vf y = lanes.load(out + i), dy = lanes.load(d_out + i);
    lanes.store(d_x + i, Log ? fnma(exp(y), total, dy) : y * (dy - total));
  });
}

// --- the axis is strided: vectors run across `Vectors * W` neighbouring columns ---------------------------------------

inline constexpr int kStrip = 4;

// A long float32 sum in two levels, so that its error grows with the square root of its length.
template <int Vectors> struct StripSum {
  vf recent[Vectors] = {}, total[Vectors] = {};
  int64_t added = 0;
  UAM_INLINE void next() {
    if (++added % 256 == 0) fold();
  }
  UAM_INLINE void fold() {
    for (int v = 0; v < Vectors; ++v) total[v] += recent[v], recent[v] = vf{};
  }
};

template <bool Log, int Vectors, class Lanes> UAM_INLINE void forward_strip(const float* x, float* out, int64_t axis, int64_t stride, Lanes lanes) {
  vf top[Vectors], factor[Vectors];
  for (int v = 0; v < Vectors; ++v) top[v] = set1(-__builtin_inff());
  for (int64_t a = 0; a < axis; ++a)
    for (int v = 0; v < Vectors; ++v) top[v] = max_of(lanes.load(x + a * stride + v * W), top[v]);
  StripSum<Vectors> sum;
  for (int64_t a = 0; a < axis; ++a, sum.next())
    for (int v = 0; v < Vectors; ++v) {
      const vf e = exp(lanes.load(x + a * stride + v * W) - top[v]);
      if (!Log) lanes.store(out + a * stride + v * W, e);
      sum.recent[v] += e;
    }
  sum.fold();
  for (int v = 0; v < Vectors; ++v) factor[v] = Log ? log(sum.total[v]) : set1(1.f) / sum.total[v];
  for (int64_t a = 0; a < axis; ++a)
    for (int v = 0; v < Vectors; ++v) {
      const int64_t at = a * stride + v * W;
      lanes.store(out + at, Log ? (lanes.load(x + at) - top[v]) - factor[v] : lanes.load(out + at) * factor[v]);
    }
}

template <bool Log, int Vectors, class Lanes>
UAM_INLINE void backward_strip(const float* out, const float* d_out, float* d_x, int64_t axis, int64_t stride, Lanes lanes) {
  StripSum<Vectors> sum;
  for (int64_t a = 0; a < axis; ++a, sum.next())
    for (int v = 0; v < Vectors; ++v) {
      const int64_t at = a * stride + v * W;
      const vf dy = lanes.load(d_out + at);
      sum.recent[v] = Log ? sum.recent[v] + dy : fma(dy, lanes.load(out + at), sum.recent[v]);
    }
  sum.fold();
  for (int64_t a = 0; a < axis; ++a)
    for (int v = 0; v < Vectors; ++v) {
      const int64_t at = a * stride + v * W;
      const vf y = lanes.load(out + at), dy = lanes.load(d_out + at);
      lanes.store(d_x + at, Log ? fnma(exp(y), sum.total[v], dy) : y * (dy - sum.total[v]));
    }
}

// --- both: cut the columns into tasks ----------------------------------------------------------------------------------

inline constexpr int64_t kTask = 1 << 14;  // elements per task

// row(offset) for every contiguous axis; strip(offset, vectors, lanes) for every strip of a strided one.
template <class Row, class Strip> UAM_INLINE void for_columns(int64_t outer, int64_t axis, int64_t inner, Row&& row, Strip&& strip) {
  if (axis == 0 || inner == 0) return;
  if (inner == 1) {
    return parallel_for(outer, 1 + kTask / axis, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) row(o * axis);
    });
  }
  const int64_t columns = kStrip * W, strips = (inner + columns - 1) / columns;
  parallel_for(outer * strips, 1 + kTask / (axis * columns), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % strips * columns, at = task / strips * axis * inner + first;
      const int64_t n = inner - first < columns ? inner - first : columns;
      if (n == columns) strip(at, std::integral_constant<int, kStrip>{}, WholeVector{});
      else for_lanes(n, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA { strip(at + i, std::integral_constant<int, 1>{}, lanes); });
    }
  });
}

template <bool Log> void forward(const SoftmaxFwd& p) {
  for_columns(
      p.outer, p.axis, p.inner, [&](int64_t at) { forward_row<Log>(p.x.data + at, p.out.data + at, p.axis); },
      [&](int64_t at, auto vectors, auto lanes) { forward_strip<Log, vectors>(p.x.data + at, p.out.data + at, p.axis, p.inner, lanes); });
}

template <bool Log> void backward(const SoftmaxBwd& p) {
  for_columns(
      p.outer, p.axis, p.inner,
      [&](int64_t at) { backward_row<Log>(p.out.data + at, p.dOut.data + at, p.dX.data + at, p.axis); },
      [&](int64_t at, auto vectors, auto lanes) {
        backward_strip<Log, vectors>(p.out.data + at, p.dOut.data + at, p.dX.data + at, p.axis, p.inner, lanes);
      });
}

void softmax_fwd(const SoftmaxFwd& p) { p.logarithm ? forward<true>(p) : forward<false>(p); }
void softmax_bwd(const SoftmaxBwd& p) { p.logarithm ? backward<true>(p) : backward<false>(p); }

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void softmax_fwd(const SoftmaxFwd& p) { UAM_BEST(softmax_fwd)(p); }
void softmax_bwd(const SoftmaxBwd& p) { UAM_BEST(softmax_bwd)(p); }
}  // namespace uam::cpu
#endif
