#include "selective_scan_backward.cuh"

namespace uam::cuda {

void selective_scan_bwd(const SelectiveScanBwd& p) {
  check_selective_scan(p, true);
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ needs z");
  const ScanPlan plan(p.offsets, p.dim, p.groups);
  const std::vector<int32_t> shares = shares_of(p.offsets, p.tokens, plan);
  const int64_t count = int64_t(shares.size()) - 1, matrix = p.dim * p.state, rows = p.tokens * p.groups * p.state;
  const int64_t parts_B = p.constant_B ? count : plan.tiles_per_group, size_B = p.constant_B ? matrix : rows;
  const int64_t parts_C = p.constant_C ? count : plan.tiles_per_group, size_C = p.constant_C ? matrix : rows;
  Call call;
  float *dA = call.out(p.dA), *dB = call.out(p.dB), *dC = call.out(p.dC), *dD = call.out(p.dD), *dDelta_bias = call.out(p.dDeltaBias);
  ScanGradients o{};
  o.tokens = p.tokens;
  o.shares = call.upload(shares);
  o.checkpoints = call.in(p.checkpoints), o.dOut = call.in(p.dOut), o.dLastState = call.in(p.dLastState);
  o.dU = call.out(p.dU), o.dDelta = call.out(p.dDelta), o.dZ = call.out(p.dZ), o.dH0 = call.out(p.dH0);
  o.dA = parts_of(call, dA, count, matrix);
  o.dD = parts_of(call, dD, count, p.dim);
  o.dDelta_bias = parts_of(call, dDelta_bias, count, p.dim);
  float *from_B = parts_of(call, dB, parts_B, size_B), *from_C = parts_of(call, dC, parts_C, size_C);
  (p.constant_B ? o.dB_constant : o.dB) = from_B;
  (p.constant_C ? o.dC_constant : o.dC) = from_C;
  scan_backward<false>(call, scan_arrays(call, p, plan), plan, p.constant_B || p.constant_C, count, o);
  add_parts_of(call, count, matrix, o.dA, dA);
  add_parts_of(call, count, p.dim, o.dD, dD);
  add_parts_of(call, count, p.dim, o.dDelta_bias, dDelta_bias);
  add_parts_of(call, parts_B, size_B, from_B, dB);
  add_parts_of(call, parts_C, size_C, from_C, dC);
  call.finish();
}

}  // namespace uam::cuda
