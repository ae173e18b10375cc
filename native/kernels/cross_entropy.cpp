#include "kernels/cross_entropy.h"

#include <algorithm>

#include "index_error.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/cross_entropy.cpp"
#include "simd.h"

#include "row_lanes.h"

namespace uam::cpu::UAM_ISA {

// Rows per task: about 16k logits, and whole vectors of rows for every instruction set.
inline int64_t rows_per_block(int64_t classes) { return ((1 << 14) / classes + 15) / 16 * 16; }

// The targets of W rows, one lane each.
struct Targets {
  int32_t index[W];  // class, 0 where ignored
  int32_t kept[W];   // all ones where it counts, else 0
  float weight[W];   // w[y], 0 where ignored
};

template <class P> void read_targets(const P& p, int64_t row, int rows, Targets& t) {
  for (int r = 0; r < W; ++r) {
    const int32_t y = r < rows ? p.target.data[row + r] : p.ignore_index;
    const bool kept = y != p.ignore_index;
    if (kept && (y < 0 || y >= p.classes)) reject_index("target", row + r, y, p.classes, ", or ignoreIndex");
    t.index[r] = kept ? y : 0;
    t.kept[r] = kept ? -1 : 0;
    t.weight[r] = !kept ? 0.f : p.class_weight ? p.class_weight.data[y] : 1.f;
  }
}

template <class P> float weight_of_class(const P& p, int64_t c) { return p.class_weight ? p.class_weight.data[c] : 1.f; }

template <class P> float total_class_weight(const P& p) {
  double total = 0;
  for (int64_t c = 0; c < p.classes; ++c) total += weight_of_class(p, c);
  return float(total);
}

void cross_entropy_fwd(const CrossEntropyFwd& p) {
  const int64_t grain = rows_per_block(p.classes), blocks = (p.rows + grain - 1) / grain;
  const float smoothing = p.label_smoothing / float(p.classes), total_weight = total_class_weight(p);
  Scratch outer;
  double* loss_of_block = outer.take<double>(blocks);
  double* weight_of_block = outer.take<double>(blocks);
  parallel_for(p.rows, grain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    float* tile = scratch.take<float>(p.classes * W);
    double losses[W] = {}, weights[W] = {};  // a sum per lane
    for (int64_t row = begin; row < end; row += W) {
      const int rows = int(std::min<int64_t>(W, end - row));
      const float* x = p.logits.data + row * p.classes;
      Targets t;
      read_targets(p, row, rows, t);
      load_rows(tile, x, p.classes, rows);
      vf highest_logit = load(tile), exponentials = set1(0.f), smoothed = set1(0.f);
      for (int64_t c = 1; c < p.classes; ++c) highest_logit = max_of(highest_logit, load(tile + c * W));
      for (int64_t c = 0; c < p.classes; ++c) exponentials += exp(load(tile + c * W) - highest_logit);
      if (p.label_smoothing != 0)
        for (int64_t c = 0; c < p.classes; ++c) smoothed = fma(set1(weight_of_class(p, c)), load(tile + c * W) - highest_logit, smoothed);
      float picked[W];
      for (int r = 0; r < W; ++r) picked[r] = tile[t.index[r] * W + r];
      // -log p[c] = log(sum of exponentials) - (x[c] - highest)
      const vf log_sum = log(exponentials);
      vf loss = set1(1.f - p.label_smoothing) * load(t.weight) * (log_sum - (load(picked) - highest_logit));
      if (p.label_smoothing != 0) loss = fma(set1(smoothing), fma(set1(total_weight), log_sum, -smoothed), loss);
      loss = select(loadi(t.kept), loss, set1(0.f));
      if (p.reduction == Reduction::none) {
        store_up_to(p.loss.data + row, loss, rows);
      } else {
        float lanes[W];
        store(lanes, loss);
        for (int r = 0; r < W; ++r) losses[r] += lanes[r];
        for (int r = 0; r < W; ++r) weights[r] += t.weight[r];
      }
    }
    double& block_loss = loss_of_block[begin / grain] = 0;
    double& block_weight = weight_of_block[begin / grain] = 0;
    for (int r = 0; r < W; ++r) block_loss += losses[r], block_weight += weights[r];
  });
  p.divisor.data[0] = 1.f;
  if (p.reduction == Reduction::none) return;
  double loss = 0, weight = 0;
  for (int64_t b = 0; b < blocks; ++b) loss += loss_of_block[b], weight += weight_of_block[b];
  if (p.reduction == Reduction::mean) {
    p.divisor.data[0] = float(weight);
    loss = weight > 0 ? loss / weight : loss * 0;
  }
  p.loss.data[0] = float(loss);
}

void cross_entropy_bwd(const CrossEntropyBwd& p) {
  const float smoothing = p.label_smoothing / float(p.classes), total_weight = total_class_weight(p);
  const float shared = p.reduction == Reduction::none ? 0.f : p.divisor.data[0] > 0 ? p.dloss.data[0] / p.divisor.data[0] : 0.f;
  parallel_for(p.rows, rows_per_block(p.classes), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    float* tile = scratch.take<float>(p.classes * W);
    for (int64_t row = begin; row < end; row += W) {
      const int rows = int(std::min<int64_t>(W, end - row));
      Targets t;
      read_targets(p, row, rows, t);
      load_rows(tile, p.logits.data + row * p.classes, p.classes, rows);
      vf highest_logit;
      const vf sums = exponentials(tile, p.classes, highest_logit);
      const vf g = p.reduction == Reduction::none ? load_up_to(p.dloss.data + row, rows) : set1(shared);
      const vf hit = g * set1(1.f - p.label_smoothing) * load(t.weight);
      const vf share = fma(g, set1(smoothing * total_weight), hit) / sums, spread = g * set1(smoothing);
      const vi kept = loadi(t.kept);
      for (int64_t c = 0; c < p.classes; ++c) {
        const vf slope = fnma(spread, set1(weight_of_class(p, c)), share * load(tile + c * W));
        store(tile + c * W, select(kept, slope, set1(0.f)));
      }
      float hits[W];
      store(hits, select(kept, hit, set1(0.f)));
      for (int r = 0; r < rows; ++r) tile[t.index[r] * W + r] -= hits[r];
      store_rows(p.dlogits.data + row * p.classes, tile, p.classes, rows);
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

template <class P> void require_classes(const P& p) {
  if (p.classes < 1) throw KernelError("UAM_SHAPE", "logits must have at least one class");
}

void cross_entropy_fwd(const CrossEntropyFwd& p) {
  require_classes(p);
  UAM_BEST(cross_entropy_fwd)(p);
}

void cross_entropy_bwd(const CrossEntropyBwd& p) {
  require_classes(p);
  UAM_BEST(cross_entropy_bwd)(p);
}

}  // namespace uam::cpu
#endif
