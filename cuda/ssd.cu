#include "kernels/ssd.h"

#include "selective_scan_backward.cuh"
#include "selective_scan_forward.cuh"
#include "reduce.cuh"

// The scan of Mamba-2 is the selective scan of heads * headDim channels, with the steps and rates of their heads. The backward makes
// the checkpoints that the selective scan's forward would have kept, and sums what belongs to heads over their channels.
namespace uam::cuda {

static void check(const SsdFwd& p) {
  if (p.groups < 1 || p.heads % p.groups != 0) throw KernelError("UAM_SHAPE", "heads must be a multiple of groups");
}

static ScanArrays arrays_of(Call& call, const SsdFwd& p, const ScanPlan& plan) {
  const int64_t dim = p.heads * p.headDim;
  return {dim,
          p.groups,
          dim / p.groups,
          p.heads,
          std::max<int64_t>(p.headDim, 1),
          int(p.state),
          0,
          plan.tiles_per_group,
          plan.tiles,
          p.dtSoftplus,
          p.reverse,
          false,
          false,
          call.in(p.x),
          call.in(p.dt),
          call.in(p.A),
          call.in(p.B),
          call.in(p.C),
          call.in(p.D),
          call.in(p.z),
          call.in(p.dtBias),
          scan_segments(call, p.offsets, plan)};
}

// A warp sums a row of `length`, its lanes along it.
static __global__ void sum_rows_kernel(int64_t rows, int64_t length, const float* from, float* to) {
  for (int64_t row = first_element() / 32; row < rows; row += element_step() / 32) {
    float sum = 0.f;
    for (int64_t i = threadIdx.x % 32; i < length; i += 32) sum += from[row * length + i];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) to[row] = sum;
  }
}

void ssd_fwd(const SsdFwd& p) {
  check(p);
  const ScanPlan plan(p.offsets, p.heads * p.headDim, p.groups);
  Call call;
  ScanOutputs o{};
  o.h0 = call.in(p.h0), o.out = call.out(p.out), o.last_state = call.out(p.lastState);
  scan_forward<true>(call, arrays_of(call, p, plan), plan, false, p.tokens, o);
  call.finish();
}

void ssd_bwd(const SsdBwd& p) {
  check(p);
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ was asked for, but there is no z");
  const int64_t dim = p.heads * p.headDim, rows = p.tokens * p.groups * p.state;
  const ScanPlan plan(p.offsets, dim, p.groups);
  const std::vector<int32_t> shares = shares_of(p.offsets, p.tokens, plan);
  const int64_t count = int64_t(shares.size()) - 1;
  Call call;
  const ScanArrays arrays = arrays_of(call, p, plan);
  float* checkpoints = call.scratch<float>(plan.chunks * p.state * dim);
  ScanOutputs forward{};
  forward.h0 = call.in(p.h0), forward.checkpoints = checkpoints;
  scan_forward<true>(call, arrays, plan, false, p.tokens, forward);

  float *dDt = call.out(p.dDt), *dB = call.out(p.dB), *dC = call.out(p.dC);
  ScanGradients o{};
  o.tokens = p.tokens;
  o.shares = call.upload(shares);
  o.checkpoints = checkpoints, o.dOut = call.in(p.dOut), o.dLastState = call.in(p.dLastState);
  o.dU = call.out(p.dX), o.dZ = call.out(p.dZ), o.dH0 = call.out(p.dH0);
  o.dDelta = dDt ? call.scratch<float>(p.tokens * dim) : nullptr;
  o.dB = parts_of(call, dB, plan.tiles_per_group, rows);
  o.dC = parts_of(call, dC, plan.tiles_per_group, rows);
  struct OfHeads {
    float *wanted, **parts;
  };
  const OfHeads of_heads[] = {{call.out(p.dA), &o.dA}, {call.out(p.dD), &o.dD}, {call.out(p.dDtBias), &o.dDelta_bias}};
  for (const OfHeads& each : of_heads) *each.parts = each.wanted ? call.scratch<float>(count * dim) : nullptr;
  scan_backward<true>(call, arrays, plan, false, count, o);

  const auto sum_rows = [&](int64_t number, const float* from, float* to) {
    call.launch_elements(number * 32, sum_rows_kernel, number, p.headDim, from, to);
  };
  add_parts_of(call, plan.tiles_per_group, rows, o.dB, dB);
  add_parts_of(call, plan.tiles_per_group, rows, o.dC, dC);
  if (dDt) sum_rows(p.tokens * p.heads, o.dDelta, dDt);
  for (const OfHeads& each : of_heads) {
    if (!each.wanted) continue;
    float* of_channels = call.scratch<float>(dim);
    add_parts(call, count, dim, *each.parts, of_channels);
    sum_rows(p.heads, of_channels, each.wanted);
  }
  call.finish();
}

}  // namespace uam::cuda
