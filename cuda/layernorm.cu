#include "kernels/layernorm.h"

#include "column_totals.cuh"
#include "rows.cuh"

namespace uam::cuda {

// x - mean = (x - base) - shift, as on the CPU: `base` is the mean as float32 holds it, `shift` the mean of x - base, which is exact or
// nearly so. Rows whose float32 sums overflow (or hold NaN or infinities, where nothing helps) are summed again in doubles.
template <int kTeam, int kQuads, bool kAligned> __global__ void __launch_bounds__(kRowThreads)
    layernorm_fwd_kernel(int64_t rows, int64_t width, float eps, const float* x, const float* weight, const float* bias, float* out,
                         float* mean, float* rstd) {
  using Team = RowTeam<kTeam, kQuads, kAligned>;
  using Sum = typename Team::Sum;
  const Team team(width);
  team.each_row(rows, [&](int64_t row, bool there) {
    const RowOf<Team, kQuads> values(team, x + row * width);
    Sum total = 0;
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at);
#pragma unroll
      for (int k = 0; k < 4; ++k) total += v.v[k];
    });
    float base = float(team.sum(total) / Sum(width));
    Sum apart = 0, squares = 0;
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const float d = team.has(at, k) ? v.v[k] - base : 0.f;
        apart += d;
        squares = fma(Sum(d), Sum(d), squares);
      }
    });
    float shift = float(team.sum(apart) / Sum(width));
    const Sum variance = team.sum(squares) / Sum(width) - Sum(shift) * Sum(shift);
    float scale = 1.f / sqrtf(float(variance > 0 ? variance : 0) + eps);
    if (team.any(!isfinite(float(variance)))) {
      double sum = 0, sum_of_squares = 0;
      team.each([&](int q, int64_t at) {
        const Quad v = values.get(team, q, at);
        for (int k = 0; k < 4; ++k) sum += double(v.v[k]);
      });
      const double centre = team.sum(sum) / double(width);
      team.each([&](int q, int64_t at) {
        const Quad v = values.get(team, q, at);
        for (int k = 0; k < 4; ++k) {
          const double d = team.has(at, k) ? double(v.v[k]) - centre : 0;
          sum_of_squares = fma(d, d, sum_of_squares);
        }
      });
      const double wide_variance = team.sum(sum_of_squares) / double(width);
      if (!isfinite(float(variance))) {
        base = float(centre);
        shift = float(centre - double(base));
        scale = float(1 / sqrt(wide_variance + double(eps)));
      }
    }
    if (!there) return;
    if (team.thread() == 0) {
      mean[row] = base + shift;
      rstd[row] = scale;
    }
    team.each([&](int q, int64_t at) {
      Quad v = values.get(team, q, at);
#pragma unroll
      for (int k = 0; k < 4; ++k) v.v[k] = ((v.v[k] - base) - shift) * scale;
      if (weight) {
        const Quad w = team.read(weight, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) v.v[k] *= w.v[k];
      }
      if (bias) {
        const Quad b = team.read(bias, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) v.v[k] += b.v[k];
      }
      team.write(out + row * width, at, v);
    });
  });
}

// parts: [blocks, 2, width], sums of dOut n and of dOut over the rows of a block; null where nobody asks.
template <int kTeam, int kQuads, bool kAligned> __global__ void __launch_bounds__(kRowThreads)
    layernorm_bwd_kernel(int64_t rows, int64_t width, const float* x, const float* d_out, const float* weight, const float* mean,
                         const float* rstd, float* d_x, float* parts) {
  using Team = RowTeam<kTeam, kQuads, kAligned>;
  using Sum = typename Team::Sum;
  const Team team(width);
  ColumnsOf<kTeam, kQuads, kAligned> d_weight, d_bias;
  float *weight_part = parts + blockIdx.x * 2 * width, *bias_part = weight_part + width;
  team.each_row(rows, [&](int64_t row, bool there) {
    const RowOf<Team, kQuads> values(team, x + row * width), slopes(team, d_out + row * width);
    const float centre = mean[row], scale = rstd[row];
    const auto weighted = [&](int64_t at, Quad dy) {
      if (!weight) return dy;
      const Quad w = team.read(weight, at);
#pragma unroll
      for (int k = 0; k < 4; ++k) dy.v[k] *= w.v[k];
      return dy;
    };
    Sum apart = 0, sum_g = 0, sum_gd = 0;  // of x - mean (what its rounding left), g, and g (x - mean)
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at), g = weighted(at, slopes.get(team, q, at));
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const float d = team.has(at, k) ? v.v[k] - centre : 0.f;
        apart += d;
        sum_g += g.v[k];
        sum_gd = fma(Sum(g.v[k]), Sum(d), sum_gd);
      }
    });
    apart = team.sum(apart) / Sum(width);
    sum_g = team.sum(sum_g);
    sum_gd = team.sum(sum_gd);
    if (!there) return;
    const float shift = float(apart), mean_g = float(sum_g / Sum(width)),
                mean_gn = float((sum_gd - apart * sum_g) * Sum(scale) / Sum(width));
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at), dy = slopes.get(team, q, at);
      Quad n;
#pragma unroll
      for (int k = 0; k < 4; ++k) n.v[k] = ((v.v[k] - centre) - shift) * scale;
      if (d_x) {
        Quad g = weighted(at, dy);
#pragma unroll
        for (int k = 0; k < 4; ++k) g.v[k] = fmaf(-n.v[k], mean_gn, g.v[k] - mean_g) * scale;
        team.write(d_x + row * width, at, g);
      }
      if (!parts) return;
#pragma unroll
      for (int k = 0; k < 4; ++k) n.v[k] *= dy.v[k];
      d_weight.add(team, q, at, n, weight_part);
      d_bias.add(team, q, at, dy, bias_part);
    });
  });
  if (!parts) return;
  d_weight.finish(team, weight_part);
  d_bias.finish(team, bias_part);
}

void layernorm_fwd(const LayernormFwd& p) {
  Call call;
  const float *x = call.in(p.x), *weight = call.in(p.weight), *bias = call.in(p.bias);
  float *out = call.out(p.out), *mean = call.out(p.mean), *rstd = call.out(p.rstd);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(x, weight, bias, out);
  with_team(p.width, [&](auto kTeam, auto kQuads) {
    call.launch(grid_of_rows(call, p.rows, kTeam),
                aligned ? layernorm_fwd_kernel<kTeam, kQuads, true> : layernorm_fwd_kernel<kTeam, kQuads, false>, p.rows, p.width, p.eps, x,
                weight, bias, out, mean, rstd);
  });
  call.finish();
}

void layernorm_bwd(const LayernormBwd& p) {
  Call call;
  const float *x = call.in(p.x), *d_out = call.in(p.dOut), *weight = call.in(p.weight), *mean = call.in(p.mean), *rstd = call.in(p.rstd);
  float *d_x = call.out(p.dX), *d_weight = call.out(p.dWeight), *d_bias = call.out(p.dBias);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(x, d_out, weight, d_x);
  with_team(p.width, [&](auto kTeam, auto kQuads) {
    const int64_t blocks = blocks_for_columns(p.rows, p.width, kTeam), size = blocks * 2 * p.width;
    float* parts = !d_weight && !d_bias ? nullptr : kQuads > 0 ? call.scratch<float>(size) : call.zeroed<float>(size);
    call.launch({unsigned(blocks), kRowThreads},
                aligned ? layernorm_bwd_kernel<kTeam, kQuads, true> : layernorm_bwd_kernel<kTeam, kQuads, false>, p.rows, p.width, x, d_out,
                weight, mean, rstd, d_x, parts);
    if (d_weight) column_totals(call, 1, blocks, 2 * p.width, p.width, parts, d_weight);
    if (d_bias) column_totals(call, 1, blocks, 2 * p.width, p.width, parts + p.width, d_bias);
  });
  call.finish();
}

}  // namespace uam::cuda
