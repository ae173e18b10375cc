#include "kernels/bias_activation.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/bias_activation.cpp"
#include "simd.h"

#include "activation_loops.h"

namespace uam::cpu::UAM_ISA {

// d_pre of rows [begin, end), and their column sums into `sums`; either may be absent.
template <class F> void walk_rows_with(const BiasActivationBwd& p, int64_t begin, int64_t end, float* sums) {
  const int64_t n = p.columns;
  const bool active = p.activation != Activation::none;
  if (sums) std::memset(sums, 0, size_t(n) * sizeof(float));
  for (int64_t i = begin; i < end; ++i) {
    const float* dy = p.dy.data + i * n;
    const float* pre = active ? p.pre.data + i * n : nullptr;
    float* d_pre = p.d_pre ? p.d_pre.data + i * n : nullptr;
    int64_t j = 0;
    for (; j + W <= n; j += W) {
      vf d = load(dy + j);
      if (active) d *= F::slope(load(pre + j));
      if (d_pre) store(d_pre + j, d);
      if (sums) store(sums + j, load(sums + j) + d);
    }
    if (j == n) continue;
    const int lanes = int(n - j);
    vf d = load_n(dy + j, lanes);
    if (active) d *= F::slope(load_n(pre + j, lanes));
    if (d_pre) store_n(d_pre + j, d, lanes);
    if (sums) store_n(sums + j, load_n(sums + j, lanes) + d, lanes);
  }
}

void walk_rows(const BiasActivationBwd& p, int64_t begin, int64_t end, float* sums) {
  with_activation(p.activation, [&]<class F>() { walk_rows_with<F>(p, begin, end, sums); });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

static constexpr int64_t kTaskElements = 1 << 15;
static constexpr int64_t kMostRows = 256;   // summed in float32 before double takes over
static constexpr int64_t kSumColumns = 64;  // of one task of the final sum

void bias_activation_bwd(const BiasActivationBwd& p) {
  if (p.activation != Activation::none && !p.pre) throw KernelError("UAM_ARGUMENT", "pre is needed for the slope of the activation");
  const int64_t n = p.columns, sequences = p.offsets.sequences();
  const int64_t piece_rows = std::clamp<int64_t>(kTaskElements / std::max<int64_t>(n, 1), 1, kMostRows);
  std::vector<int64_t> piece_begin, first_piece;  // rows where pieces begin; the first piece of each sequence
  for (int64_t s = 0; s < sequences; ++s) {
    first_piece.push_back(int64_t(piece_begin.size()));
    for (int64_t row = p.offsets.at(s); row < p.offsets.at(s + 1); row += piece_rows) piece_begin.push_back(row);
  }
  const int64_t pieces = int64_t(piece_begin.size());
  first_piece.push_back(pieces);
  piece_begin.push_back(p.rows);

  Scratch scratch;
  float* partial = p.d_bias ? scratch.take<float>(pieces * n) : nullptr;
  const auto walk = UAM_BEST(walk_rows);
  parallel_for(pieces, std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, piece_rows * n)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) walk(p, piece_begin[size_t(i)], piece_begin[size_t(i) + 1], partial ? partial + i * n : nullptr);
  });
  if (!p.d_bias) return;
  parallel_for(n, kSumColumns, [&](int64_t begin, int64_t end) {
    for (int64_t s = 0; s < sequences; ++s) {
      double totals[kSumColumns] = {};
      for (int64_t i = first_piece[size_t(s)]; i < first_piece[size_t(s) + 1]; ++i)
        for (int64_t j = begin; j < end; ++j) totals[j - begin] += double(partial[i * n + j]);
      for (int64_t j = begin; j < end; ++j) p.d_bias.data[s * n + j] = float(totals[j - begin]);
    }
  });
}

}  // namespace uam::cpu
#endif
