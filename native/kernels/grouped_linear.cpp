#include "kernels/grouped_linear.h"

#include <algorithm>

#include "gemm_core.h"
#include "parallel.h"

namespace uam::cpu {

// Groups that take this many multiply-adds on average are done one after the other, each by all threads; smaller ones
// side by side. The bits are the same either way.
static constexpr int64_t kOwnThread = 1 << 23;

template <class F> static void for_each_group(const Offsets& offsets, int64_t rows, int64_t work_per_row, F&& body) {
  const int64_t groups = offsets.sequences();
  if (groups > 0 && rows * work_per_row / groups >= kOwnThread) {
    for (int64_t g = 0; g < groups; ++g) body(g);
    return;
  }
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) body(g);
  });
}

void grouped_linear_fwd(const GroupedLinearFwd& p) {
  for_each_group(p.offsets, p.rows, p.inputs * p.outputs, [&](int64_t group) {
    const int64_t row = p.offsets.at(group);
    Gemm g;
    g.m = p.offsets.length(group), g.n = p.outputs, g.k = p.inputs;
    g.a = {.data = p.x.data + row * p.inputs, .ld = p.inputs};
    g.b = {.data = p.weight.data + group * p.outputs * p.inputs, .ld = p.inputs, .transposed = true};
    g.c = p.y.data + row * p.outputs;
    g.ldc = p.outputs;
    g.bias = p.bias ? p.bias.data + group * p.outputs : nullptr;
    g.activation = p.activation;
    g.pre_activation = p.pre_activation ? p.pre_activation.data + row * p.outputs : nullptr;
    gemm(g);
  });
}

void grouped_linear_bwd(const GroupedLinearBwd& p) {
  for_each_group(p.offsets, p.rows, p.inputs * p.outputs, [&](int64_t group) {
    const int64_t row = p.offsets.at(group), rows = p.offsets.length(group), weights = group * p.outputs * p.inputs;
    const Operand d_pre = {.data = p.d_pre.data + row * p.outputs, .ld = p.outputs};
    if (p.dx) {
      Gemm g;
      g.m = rows, g.n = p.inputs, g.k = p.outputs;
      g.a = d_pre;
      g.b = {.data = p.weight.data + weights, .ld = p.inputs};
      g.c = p.dx.data + row * p.inputs;
      g.ldc = p.inputs;
      gemm(g);
    }
    if (p.d_weight) {  // a group without rows gets zeros: its k is 0
      Gemm g;
      g.m = p.outputs, g.n = p.inputs, g.k = rows;
      g.a = d_pre;
      g.a.transposed = true;
      g.b = {.data = p.x.data + row * p.inputs, .ld = p.inputs};
      g.c = p.d_weight.data + weights;
      g.ldc = p.inputs;
      gemm(g);
    }
  });
}

}  // namespace uam::cpu
