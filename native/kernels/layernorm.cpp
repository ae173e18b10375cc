#include "kernels/layernorm.h"

#include "column_sums.h"
#include "parallel.h"
#define UAM_SIMD_FILE "kernels/layernorm.cpp"
#include "simd.h"

#include "rows.h"

namespace uam::cpu::UAM_ISA {

// x - mean = (x - base) - shift. `base` is the mean as float32 holds it; its rounding error, which would swamp rows
// whose mean is large beside their spread, is in `shift`: the mean of x - base, which is exact or nearly so.
struct RowMoments {
  float base, shift;
  double variance;
};

// In doubles, for rows whose float32 sums overflowed (and for rows with NaN or infinities, where nothing helps).
inline RowMoments moments_in_double(const float* x, int64_t n) {
  double total = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) total += double(x[i]);
  const double mean = total / double(n);
  for (int64_t i = 0; i < n; ++i) squares += (double(x[i]) - mean) * (double(x[i]) - mean);
  return {float(mean), float(mean - double(float(mean))), squares / double(n)};
}

UAM_INLINE RowMoments row_moments(const float* x, int64_t n) {
  const auto total = sum_row<1>(n, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA { sums[0] += lanes.load(x + i); });
  const vf base = set1(float(total[0] / double(n)));
  const auto s = sum_row<2>(n, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
    const vf d = lanes.keep(lanes.load(x + i) - base);
    sums[0] += d;
    sums[1] = fma(d, d, sums[1]);
  });
  const double shift = s[0] / double(n);
  const double variance = s[1] / double(n) - shift * shift;
  if (!std::isfinite(variance)) return moments_in_double(x, n);
  return {float(total[0] / double(n)), float(shift), variance > 0 ? variance : 0};
}

void layernorm_fwd(const LayernormFwd& p) {
  const int64_t width = p.width;
  parallel_for(p.rows, rows_per_block(p.rows, width), [&](int64_t begin, int64_t end) {
    const float *weight = p.weight.data, *bias = p.bias.data;
    for (int64_t row = begin; row < end; ++row) {
      const float* x = p.x.data + row * width;
      float* out = p.out.data + row * width;
      const RowMoments m = row_moments(x, width);
      const float rstd_of_row = float(1 / std::sqrt(m.variance + double(p.eps)));
      p.mean.data[row] = m.base + m.shift;
      p.rstd.data[row] = rstd_of_row;
      const vf base = set1(m.base), shift = set1(m.shift), rstd = set1(rstd_of_row);
      for_lanes(width, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
        vf y = ((lanes.load(x + i) - base) - shift) * rstd;
        if (weight) y = y * lanes.load(weight + i);
        if (bias) y = y + lanes.load(bias + i);
        lanes.store(out + i, y);
      });
    }
  });
}

void layernorm_bwd(const LayernormBwd& p) {
  const int64_t width = p.width, block_rows = rows_per_block(p.rows, width);
  const ColumnSums sums(p.rows, block_rows, 2 * width);  // of dOut n, then of dOut
  parallel_for(p.rows, block_rows, [&](int64_t begin, int64_t end) {
    ColumnSums::Block block(sums, begin);
    const float* weight = p.weight.data;
    float *d_weight = block.fresh(), *d_bias = block.fresh() + width;
    for (int64_t row = begin; row < end; ++row) {
      const float *x = p.x.data + row * width, *d_out = p.dOut.data + row * width;
      float* d_x = p.dX ? p.dX.data + row * width : nullptr;
      const vf mean = set1(p.mean.data[row]), rstd = set1(p.rstd.data[row]);
      // of x - mean (see RowMoments), g and g (x - mean)
      const auto s = sum_row<3>(width, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
        const vf d = lanes.keep(lanes.load(x + i) - mean);
        const vf g = weight ? lanes.load(d_out + i) * lanes.load(weight + i) : lanes.load(d_out + i);
        sums[0] += d;
        sums[1] += g;
        sums[2] = fma(g, d, sums[2]);
      });
      const double shift_of_row = s[0] / double(width);
      const vf shift = set1(float(shift_of_row));
      const vf mean_g = set1(float(s[1] / double(width)));
      const vf mean_gn = set1(float((s[2] - shift_of_row * s[1]) * double(p.rstd.data[row]) / double(width)));
      for_lanes(width, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
        const vf n = ((lanes.load(x + i) - mean) - shift) * rstd, dy = lanes.load(d_out + i);
        if (d_x) {
          const vf g = weight ? dy * lanes.load(weight + i) : dy;
          lanes.store(d_x + i, fnma(n, mean_gn, g - mean_g) * rstd);
        }
        lanes.store(d_weight + i, fma(dy, n, lanes.load(d_weight + i)));
        lanes.store(d_bias + i, lanes.load(d_bias + i) + dy);
      });
      block.next_row();
    }
  });
  if (p.dWeight) sums.finish(0, width, p.dWeight.data);
  if (p.dBias) sums.finish(width, width, p.dBias.data);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void layernorm_fwd(const LayernormFwd& p) { UAM_BEST(layernorm_fwd)(p); }
void layernorm_bwd(const LayernormBwd& p) { UAM_BEST(layernorm_bwd)(p); }
}  // namespace uam::cpu
#endif
