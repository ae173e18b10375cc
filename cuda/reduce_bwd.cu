#include "call.cuh"
#include "index_error.h"
#include "kernels/reduce.h"

namespace uam::cuda {

// One thread per element of the result: it is the chosen one of its column, or zero.
__global__ void reduce_bwd_kernel(int64_t n, int64_t axis, int64_t inner, const int32_t* index, const float* dy, float* dx, Fault* fault) {
  for (int64_t e = first_element(); e < n; e += element_step()) {
    const int64_t a = e / inner % axis, at = e / inner / axis * inner + e % inner;
    const int32_t chosen = index[at];
    if (chosen < 0 || chosen >= axis) report_fault(fault, at, chosen);
    dx[e] = chosen == a ? dy[at] : 0.f;
  }
}

void reduce_bwd(const ReduceBwd& p) {
  Call call;
  const int32_t* index = call.in(p.index);
  const float* dy = call.in(p.dy);
  float* dx = call.out(p.dx);
  Fault* fault = call.fault([axis = p.axis](int64_t at, int32_t value) { reject_index("index", at, value, axis); });
  const int64_t n = p.outer * p.axis * p.inner;
  call.launch_elements(n, reduce_bwd_kernel, n, p.axis, p.inner, index, dy, dx, fault);
  call.finish();
}

}  // namespace uam::cuda
