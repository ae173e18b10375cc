#include "kernels/rmsnorm.h"

#include "column_totals.cuh"
#include "rows.cuh"

namespace uam::cuda {

struct Silu {
  float value, slope;  // z s and s (1 + z (1 - s)), with s = sigmoid(z)
};
// 1 - s = e s with e = e^-z; where e overflows s is 0, and so are both.
__device__ __forceinline__ Silu silu(float z) {
  const float e = expf(-z), s = 1.f / (1.f + e);
  return {z * s, s * fmaf(z, fminf(3e38f, e) * s, 1.f)};
}

template <int kTeam, int kQuads, bool kAligned> __global__ void __launch_bounds__(kRowThreads)
    rmsnorm_fwd_kernel(int64_t rows, int64_t width, float eps, const float* x, const float* residual, const float* z, const float* weight,
                       float* out, float* residual_out, float* rstd) {
  using Team = RowTeam<kTeam, kQuads, kAligned>;
  using Sum = typename Team::Sum;
  const Team team(width);
  team.each_row(rows, [&](int64_t row, bool there) {
    RowOf<Team, kQuads> values(team, x + row * width);
    Sum squares = 0;
    const RowOf<Team, kQuads> others(team, residual ? residual + row * width : x + row * width);
    team.each([&](int q, int64_t at) {
      Quad h = values.get(team, q, at);
      if (residual) {
        const Quad other = others.get(team, q, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) h.v[k] += other.v[k];
        if (there) team.write(residual_out + row * width, at, h);
        if constexpr (Team::kKept) values.kept[q] = h;
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) squares = fma(Sum(h.v[k]), Sum(h.v[k]), squares);
    });
    // The sum is read again from memory only by the thread that wrote it.
    if (residual && !Team::kKept) values.row = residual_out + row * width;
    squares = team.sum(squares);
    float scale = 1.f / sqrtf(float(squares / Sum(width)) + eps);
    const bool safe = squares > Sum(1e-30f) && squares < Sum(1e38f);  // else float32 squares may have overflowed or vanished
    if (team.any(!safe)) {
      double wide = 0;
      team.each([&](int q, int64_t at) {
        const Quad h = values.get(team, q, at);
        for (int k = 0; k < 4; ++k) wide = fma(double(h.v[k]), double(h.v[k]), wide);
      });
      wide = team.sum(wide);
      if (!safe) scale = float(1 / sqrt(wide / double(width) + double(eps)));
    }
    if (!there) return;
    if (team.thread() == 0) rstd[row] = scale;
    team.each([&](int q, int64_t at) {
      Quad y = values.get(team, q, at);
#pragma unroll
      for (int k = 0; k < 4; ++k) y.v[k] *= scale;
      if (weight) {
        const Quad w = team.read(weight, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) y.v[k] *= w.v[k];
      }
      if (z) {
        const Quad gate = team.read(z + row * width, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) y.v[k] *= gate.v[k] / (1.f + expf(-gate.v[k]));
      }
      team.write(out + row * width, at, y);
    });
  });
}

// parts: [blocks, width], sums of dOut n silu(z) over the rows of a block; null where nobody asks.
template <int kTeam, int kQuads, bool kAligned> __global__ void __launch_bounds__(kRowThreads)
    rmsnorm_bwd_kernel(int64_t rows, int64_t width, const float* h, const float* d_out, const float* z, const float* weight,
                       const float* rstd, const float* d_residual_out, float* d_h, float* d_z, float* parts) {
  using Team = RowTeam<kTeam, kQuads, kAligned>;
  using Sum = typename Team::Sum;
  const Team team(width);
  ColumnsOf<kTeam, kQuads, kAligned> d_weight;
  float* part = parts + blockIdx.x * width;
  team.each_row(rows, [&](int64_t row, bool there) {
    const RowOf<Team, kQuads> values(team, h + row * width);
    RowOf<Team, kQuads> slopes(team, d_out + row * width);  // becomes g
    const float scale = rstd[row];
    const auto weight_at = [&](int64_t at) { return weight ? team.read(weight, at) : Quad{{1.f, 1.f, 1.f, 1.f}}; };
    Sum sum_gn = 0;
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at), w = weight_at(at);
      Quad dy = slopes.get(team, q, at), n;
#pragma unroll
      for (int k = 0; k < 4; ++k) n.v[k] = v.v[k] * scale;
      if (z) {
        const Quad gate = team.read(z + row * width, at);
        Quad dz;
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const Silu s = silu(gate.v[k]);
          dz.v[k] = dy.v[k] * n.v[k] * w.v[k] * s.slope;
          dy.v[k] *= s.value;
        }
        if (d_z && there) team.write(d_z + row * width, at, dz);
      }
      if (parts && there) {
        Quad terms;
#pragma unroll
        for (int k = 0; k < 4; ++k) terms.v[k] = dy.v[k] * n.v[k];
        d_weight.add(team, q, at, terms, part);
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        dy.v[k] *= w.v[k];
        if (team.has(at, k)) sum_gn = fma(Sum(dy.v[k]), Sum(n.v[k]), sum_gn);
      }
      if constexpr (Team::kKept) slopes.kept[q] = dy;
    });
    if (!d_h) return;
    const float mean_gn = float(team.sum(sum_gn) / Sum(width));
    if (!there) return;
    team.each([&](int q, int64_t at) {
      const Quad v = values.get(team, q, at);
      Quad g = slopes.get(team, q, at);
      if constexpr (!Team::kKept) {  // once more
        const Quad w = weight_at(at), gate = z ? team.read(z + row * width, at) : Quad();
        for (int k = 0; k < 4; ++k) g.v[k] = (z ? g.v[k] * silu(gate.v[k]).value : g.v[k]) * w.v[k];
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) g.v[k] = fmaf(-(v.v[k] * scale), mean_gn, g.v[k]) * scale;
      if (d_residual_out) {
        const Quad more = team.read(d_residual_out + row * width, at);
#pragma unroll
        for (int k = 0; k < 4; ++k) g.v[k] += more.v[k];
      }
      team.write(d_h + row * width, at, g);
    });
  });
  if (parts) d_weight.finish(team, part);
}

void rmsnorm_fwd(const RmsnormFwd& p) {
  if (bool(p.residual) != bool(p.residualOut))
    throw KernelError("UAM_ARGUMENT", "residual and residualOut belong together: give both or neither");
  Call call;
  const float *x = call.in(p.x), *residual = call.in(p.residual), *z = call.in(p.z), *weight = call.in(p.weight);
  float *out = call.out(p.out), *residual_out = call.out(p.residualOut), *rstd = call.out(p.rstd);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(x, residual, z, weight, out, residual_out);
  with_team(p.width, [&](auto kTeam, auto kQuads) {
    call.launch(grid_of_rows(call, p.rows, kTeam),
                aligned ? rmsnorm_fwd_kernel<kTeam, kQuads, true> : rmsnorm_fwd_kernel<kTeam, kQuads, false>, p.rows, p.width, p.eps, x,
                residual, z, weight, out, residual_out, rstd);
  });
  call.finish();
}

void rmsnorm_bwd(const RmsnormBwd& p) {
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ was asked for, but there is no z");
  Call call;
  const float *h = call.in(p.h), *d_out = call.in(p.dOut), *z = call.in(p.z), *weight = call.in(p.weight), *rstd = call.in(p.rstd);
  const float* d_residual_out = call.in(p.dResidualOut);
  float *d_h = call.out(p.dH), *d_z = call.out(p.dZ), *d_weight = call.out(p.dWeight);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(h, d_out, z, weight, d_residual_out, d_h, d_z);
  with_team(p.width, [&](auto kTeam, auto kQuads) {
    const int64_t blocks = blocks_for_columns(p.rows, p.width, kTeam), size = blocks * p.width;
    float* parts = !d_weight ? nullptr : kQuads > 0 ? call.scratch<float>(size) : call.zeroed<float>(size);
    call.launch({unsigned(blocks), kRowThreads},
                aligned ? rmsnorm_bwd_kernel<kTeam, kQuads, true> : rmsnorm_bwd_kernel<kTeam, kQuads, false>, p.rows, p.width, h, d_out, z,
                weight, rstd, d_residual_out, d_h, d_z, parts);
    if (d_weight) column_totals(call, 1, blocks, p.width, p.width, parts, d_weight);
  });
  call.finish();
}

}  // namespace uam::cuda
