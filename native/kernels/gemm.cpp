#include "kernels/gemm.h"

#include <algorithm>

#include "gemm_core.h"
#include "parallel.h"

namespace uam::cpu {

// Products below this many multiply-adds run on one thread each, side by side; larger ones share all threads in turn.
static constexpr int64_t kOwnThread = 1 << 23;
static constexpr int64_t kTaskWork = 1 << 20;

static Gemm product(const GemmParams& p, int64_t i) {
  Gemm g;
  g.m = p.m, g.n = p.n, g.k = p.k;
  g.a.data = p.a.data + (p.a_batch == 1 ? 0 : i) * p.m * p.k;
  g.a.ld = p.transpose_a ? p.m : p.k;
  g.a.transposed = p.transpose_a;
  g.b.data = p.b.data + (p.b_batch == 1 ? 0 : i) * p.k * p.n;
  g.b.ld = p.transpose_b ? p.k : p.n;
  g.b.transposed = p.transpose_b;
  g.c = p.c.data + i * p.m * p.n;
  g.ldc = p.n;
  g.bias = p.bias.data;
  g.accumulate = p.accumulate;
  g.activation = p.activation;
  g.pre_activation = p.pre_activation ? p.pre_activation.data + i * p.m * p.n : nullptr;
  return g;
}

void gemm(const GemmParams& p) {
  for (int64_t operand : {p.a_batch, p.b_batch})
    if (operand != 1 && operand != p.batch)
      throw KernelError("UAM_SHAPE",
                        "aBatch and bBatch must be 1 or batch (" + std::to_string(p.batch) + "), received " + std::to_string(operand));
  const int64_t work = p.m * p.n * std::max<int64_t>(p.k, 1);
  if (work >= kOwnThread) {
    for (int64_t i = 0; i < p.batch; ++i) gemm(product(p, i));
    return;
  }
  parallel_for(p.batch, std::max<int64_t>(1, kTaskWork / std::max<int64_t>(work, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) gemm(product(p, i));
  });
}

}  // namespace uam::cpu
