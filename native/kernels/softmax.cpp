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
  for_lanes(n, [&](int64_t j, auto lanes)
                   UAM_INLINE_LAMBDA { lanes.store(out + j, Log ? (lanes.load(x + j) - shift) - log_sum : lanes.load(out + j) * factor); });
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

// --- the axis is strided: vectors run across up to kColumns neighbouring columns -------------------------------------

inline constexpr int64_t kColumns = 512;

// Sums of long columns in two levels, so that their error grows with the square root of their length.
struct ColumnTotals {
  float recent[kColumns] = {}, total[kColumns] = {};
  int64_t added = 0;
  UAM_INLINE void next() {
    if (++added % 256 == 0) fold();
  }
  UAM_INLINE void fold() {
    for (int64_t j = 0; j < kColumns; ++j) total[j] += recent[j], recent[j] = 0;
  }
};

template <bool Log> void forward_columns(const float* x, float* out, int64_t axis, int64_t stride, int64_t columns) {
  float top[kColumns], factor[kColumns];
  for (int64_t j = 0; j < columns; ++j) top[j] = -__builtin_inff();
  for (int64_t a = 0; a < axis; ++a)
    for_lanes(columns, [&](int64_t j, auto lanes)
                           UAM_INLINE_LAMBDA { lanes.store(top + j, max_of(lanes.load(x + a * stride + j), lanes.load(top + j))); });
  ColumnTotals sums;
  for (int64_t a = 0; a < axis; ++a, sums.next())
    for_lanes(columns, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
      const vf e = exp(lanes.load(x + a * stride + j) - lanes.load(top + j));
      if (!Log) lanes.store(out + a * stride + j, e);
      lanes.store(sums.recent + j, lanes.load(sums.recent + j) + e);
    });
  sums.fold();
  for_lanes(columns, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
    const vf total = lanes.load(sums.total + j);
    lanes.store(factor + j, Log ? log(total) : set1(1.f) / total);
  });
  for (int64_t a = 0; a < axis; ++a)
    for_lanes(columns, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
      const int64_t at = a * stride + j;
      lanes.store(out + at, Log ? (lanes.load(x + at) - lanes.load(top + j)) - lanes.load(factor + j)
                                : lanes.load(out + at) * lanes.load(factor + j));
    });
}

template <bool Log> void backward_columns(const float* out, const float* d_out, float* d_x, int64_t axis, int64_t stride, int64_t columns) {
  ColumnTotals sums;
  for (int64_t a = 0; a < axis; ++a, sums.next())
    for_lanes(columns, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
      const vf dy = lanes.load(d_out + a * stride + j), sum = lanes.load(sums.recent + j);
      lanes.store(sums.recent + j, Log ? sum + dy : fma(dy, lanes.load(out + a * stride + j), sum));
    });
  sums.fold();
  for (int64_t a = 0; a < axis; ++a)
    for_lanes(columns, [&](int64_t j, auto lanes) UAM_INLINE_LAMBDA {
      const vf y = lanes.load(out + a * stride + j), dy = lanes.load(d_out + a * stride + j), total = lanes.load(sums.total + j);
      lanes.store(d_x + a * stride + j, Log ? fnma(exp(y), total, dy) : y * (dy - total));
    });
}

// --- both: cut the columns into tasks ----------------------------------------------------------------------------------

inline constexpr int64_t kTask = 1 << 14;  // elements per task

// row(offset) for every contiguous axis; columns(offset, count) for every set of neighbouring columns of a strided one.
template <class Row, class Columns> UAM_INLINE void for_columns(int64_t outer, int64_t axis, int64_t inner, Row&& row, Columns&& columns) {
  if (axis == 0 || inner == 0) return;
  if (inner == 1) {
    return parallel_for(outer, 1 + kTask / axis, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) row(o * axis);
    });
  }
  const int64_t sets = (inner + kColumns - 1) / kColumns;
  parallel_for(outer * sets, 1 + kTask / (axis * kColumns), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % sets * kColumns;
      columns(task / sets * axis * inner + first, inner - first < kColumns ? inner - first : kColumns);
    }
  });
}

template <bool Log> void forward(const SoftmaxFwd& p) {
  for_columns(
      p.outer, p.axis, p.inner, [&](int64_t at) { forward_row<Log>(p.x.data + at, p.out.data + at, p.axis); },
      [&](int64_t at, int64_t count) { forward_columns<Log>(p.x.data + at, p.out.data + at, p.axis, p.inner, count); });
}

template <bool Log> void backward(const SoftmaxBwd& p) {
  for_columns(
      p.outer, p.axis, p.inner, [&](int64_t at) { backward_row<Log>(p.out.data + at, p.dOut.data + at, p.dX.data + at, p.axis); },
      [&](int64_t at, int64_t count) { backward_columns<Log>(p.out.data + at, p.dOut.data + at, p.dX.data + at, p.axis, p.inner, count); });
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
