#include "kernels/bce_with_logits.h"

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/bce_with_logits.cpp"
#include "simd.h"

#include "row_lanes.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 13;  // elements per task
inline constexpr int64_t kSpan = 256;       // elements summed in float32 before the sum moves on to double

// pos_weight repeated far enough that the weights of W neighbouring elements are one load, whatever their column.
struct PeriodicWeights {
  const float* repeated;  // [columns + W], null where every weight is 1
  int64_t columns, step;

  template <class P> PeriodicWeights(const P& p, Scratch& scratch) : repeated(nullptr), columns(p.columns), step(0) {
    if (!p.pos_weight || columns == 0) return;
    float* weights = scratch.take<float>(columns + W);
    for (int64_t i = 0; i < columns + W; ++i) weights[i] = p.pos_weight.data[i % columns];
    repeated = weights;
    step = W % columns;
  }

  int64_t start(int64_t element) const { return repeated ? element % columns : 0; }

  // The weights from `column` on; moves `column` on by W elements.
  UAM_INLINE vf next(int64_t& column) const {
    if (!repeated) return set1(1.f);
    const vf weights = load(repeated + column);
    column += step;
    if (column >= columns) column -= columns;
    return weights;
  }
};

UAM_INLINE vi kept_lanes(const uint8_t* keep, int n) {
  int32_t lanes[W];
  for (int r = 0; r < W; ++r) lanes[r] = r < n && keep[r] ? -1 : 0;
  return loadi(lanes);
}

void bce_with_logits_fwd(const BceWithLogitsFwd& p) {
  const int64_t n = p.rows * p.columns, blocks = (n + kBlock - 1) / kBlock;
  Scratch outer;
  const PeriodicWeights weights(p, outer);
  double* loss_of_block = outer.take<double>(blocks);
  int64_t* kept_of_block = outer.take<int64_t>(blocks);
  parallel_for(n, kBlock, [&](int64_t begin, int64_t end) {
    double block_loss = 0;
    int64_t kept = end - begin, column = weights.start(begin);
    for (int64_t span = begin; span < end; span += kSpan) {
      const int64_t span_end = span + kSpan < end ? span + kSpan : end;
      vf total = set1(0.f);
      for (int64_t i = span; i < span_end; i += W) {
        const int lanes = span_end - i < W ? int(span_end - i) : W;
        const vf x = load_up_to(p.x.data + i, lanes), t = load_up_to(p.target.data + i, lanes);
        const vf positive = weights.next(column) * t, negative = set1(1.f) - t;
        const vf linear = select(x < set1(0.f), -positive * x, negative * x);
        vf loss = fma(negative + positive, softplus(-abs(x)), linear);
        if (p.keep) loss = select(kept_lanes(p.keep.data + i, lanes), loss, set1(0.f));
        if (p.reduction == Reduction::none) store_up_to(p.loss.data + i, loss, lanes);
        else total += lanes == W ? loss : select(lane_mask(lanes), loss, set1(0.f));
      }
      block_loss += sum(total);
    }
    if (p.keep)
      for (int64_t i = begin; i < end; ++i) kept -= p.keep.data[i] == 0;
    loss_of_block[begin / kBlock] = block_loss;
    kept_of_block[begin / kBlock] = kept;
  });
  p.divisor.data[0] = 1.f;
  if (p.reduction == Reduction::none) return;
  double loss = 0;
  int64_t kept = 0;
  for (int64_t b = 0; b < blocks; ++b) loss += loss_of_block[b], kept += kept_of_block[b];
  if (p.reduction == Reduction::mean) {
    p.divisor.data[0] = float(kept);
    loss = kept > 0 ? loss / double(kept) : 0;
  }
  p.loss.data[0] = float(loss);
}

void bce_with_logits_bwd(const BceWithLogitsBwd& p) {
  const float shared = p.reduction == Reduction::none ? 0.f : p.divisor.data[0] > 0 ? p.dloss.data[0] / p.divisor.data[0] : 0.f;
  Scratch outer;
  const PeriodicWeights weights(p, outer);
  parallel_for(p.rows * p.columns, kBlock, [&](int64_t begin, int64_t end) {
    int64_t column = weights.start(begin);
    for (int64_t i = begin; i < end; i += W) {
      const int lanes = end - i < W ? int(end - i) : W;
      const vf x = load_up_to(p.x.data + i, lanes), t = load_up_to(p.target.data + i, lanes);
      const vf g = p.reduction == Reduction::none ? load_up_to(p.dloss.data + i, lanes) : set1(shared);
      const vf e = exp(-abs(x)), large = set1(1.f) / (set1(1.f) + e), small = e * large;  // sigmoid(|x|), sigmoid(-|x|)
      const vf up = select(x < set1(0.f), small, large), down = select(x < set1(0.f), large, small);
      vf dx = g * fnma(weights.next(column) * t, down, (set1(1.f) - t) * up);
      if (p.keep) dx = select(kept_lanes(p.keep.data + i, lanes), dx, set1(0.f));
      store_up_to(p.dx.data + i, dx, lanes);
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void bce_with_logits_fwd(const BceWithLogitsFwd& p) { UAM_BEST(bce_with_logits_fwd)(p); }
void bce_with_logits_bwd(const BceWithLogitsBwd& p) { UAM_BEST(bce_with_logits_bwd)(p); }
}  // namespace uam::cpu
#endif
