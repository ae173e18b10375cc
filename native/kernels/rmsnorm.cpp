#include "kernels/rmsnorm.h"

#include "column_sums.h"
#include "parallel.h"
#define UAM_SIMD_FILE "kernels/rmsnorm.cpp"
#include "simd.h"

#include "rows.h"

namespace uam::cpu::UAM_ISA {

// sum h^2 / n. Where float32 squares overflow or vanish the row is summed again in doubles.
UAM_INLINE double mean_square(const float* h, int64_t n) {
  const auto s = sum_row<1>(n, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
    const vf v = lanes.load(h + i);
    sums[0] = fma(v, v, sums[0]);
  });
  if (s[0] > 1e-30 && s[0] < 1e38) return s[0] / double(n);
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += double(h[i]) * double(h[i]);
  return total / double(n);
}

void rmsnorm_fwd(const RmsnormFwd& p) {
  if (bool(p.residual) != bool(p.residualOut))
    throw KernelError("UAM_ARGUMENT", "residual and residualOut belong together: give both or neither");
  const int64_t width = p.width;
  parallel_for(p.rows, rows_per_block(p.rows, width), [&](int64_t begin, int64_t end) {
    const float* weight = p.weight.data;
    for (int64_t row = begin; row < end; ++row) {
      const float *h = p.x.data + row * width, *z = p.z ? p.z.data + row * width : nullptr;
      float* out = p.out.data + row * width;
      if (p.residual) {
        const float *x = h, *residual = p.residual.data + row * width;
        float* sum_of_both = p.residualOut.data + row * width;
        for_lanes(width, [&](int64_t i, auto lanes)
                             UAM_INLINE_LAMBDA { lanes.store(sum_of_both + i, lanes.load(x + i) + lanes.load(residual + i)); });
        h = sum_of_both;
      }
      const float rstd_of_row = float(1 / std::sqrt(mean_square(h, width) + double(p.eps)));
      p.rstd.data[row] = rstd_of_row;
      const vf rstd = set1(rstd_of_row);
      for_lanes(width, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
        vf y = lanes.load(h + i) * rstd;
        if (weight) y = y * lanes.load(weight + i);
        if (z) y = y * silu(lanes.load(z + i));
        lanes.store(out + i, y);
      });
    }
  });
}

void rmsnorm_bwd(const RmsnormBwd& p) {
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ was asked for, but there is no z");
  const int64_t width = p.width, block_rows = rows_per_block(p.rows, width);
  const ColumnSums sums(p.rows, block_rows, width);
  parallel_for(p.rows, block_rows, [&](int64_t begin, int64_t end) {
    ColumnSums::Block block(sums, begin);
    Scratch scratch;
    float* g = scratch.take<float>(width);
    float* d_weight = block.fresh();
    const float* weight = p.weight.data;
    for (int64_t row = begin; row < end; ++row) {
      const float *h = p.h.data + row * width, *d_out = p.dOut.data + row * width;
      const float* z = p.z ? p.z.data + row * width : nullptr;
      const float* d_residual = p.dResidualOut ? p.dResidualOut.data + row * width : nullptr;
      float *d_h = p.dH ? p.dH.data + row * width : nullptr, *d_z = p.dZ ? p.dZ.data + row * width : nullptr;
      const vf rstd = set1(p.rstd.data[row]);
      const auto s = sum_row<1>(width, [&](int64_t i, auto lanes, vf* sums) UAM_INLINE_LAMBDA {
        const vf n = lanes.load(h + i) * rstd;
        const vf w = weight ? lanes.load(weight + i) : set1(1.f);
        vf dy = lanes.load(d_out + i);
        if (z) {
          const auto gate = silu_with_slope(lanes.load(z + i));
          if (d_z) lanes.store(d_z + i, dy * n * w * gate.slope);
          dy = dy * gate.value;
        }
        lanes.store(d_weight + i, fma(dy, n, lanes.load(d_weight + i)));
        const vf gw = dy * w;
        lanes.store(g + i, gw);
        sums[0] = fma(gw, n, sums[0]);
      });
      if (d_h) {
        const vf mean_gn = set1(float(s[0] / double(width)));
        for_lanes(width, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
          const vf n = lanes.load(h + i) * rstd;
          vf d = fnma(n, mean_gn, lanes.load(g + i)) * rstd;
          if (d_residual) d = d + lanes.load(d_residual + i);
          lanes.store(d_h + i, d);
        });
      }
      block.next_row();
    }
  });
  if (p.dWeight) sums.finish(0, width, p.dWeight.data);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void rmsnorm_fwd(const RmsnormFwd& p) { UAM_BEST(rmsnorm_fwd)(p); }
void rmsnorm_bwd(const RmsnormBwd& p) { UAM_BEST(rmsnorm_bwd)(p); }
}  // namespace uam::cpu
#endif
