#include "kernels/selective_scan.h"

#include "selective_scan_forward.cuh"

namespace uam::cuda {

void selective_scan_fwd(const SelectiveScanFwd& p) {
  check_selective_scan(p, bool(p.checkpoints));
  const ScanPlan plan(p.offsets, p.dim, p.groups);
  Call call;
  ScanOutputs o{};
  o.h0 = call.in(p.h0), o.out = call.out(p.out), o.last_state = call.out(p.last_state), o.checkpoints = call.out(p.checkpoints);
  scan_forward<false>(call, scan_arrays(call, p, plan), plan, p.constant_B || p.constant_C, p.tokens, o);
  call.finish();
}

}  // namespace uam::cuda
