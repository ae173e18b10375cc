#include "kernels/moe_route.h"

#include <algorithm>
#include <limits>

#include "index_error.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/moe_route.cpp"
#include "simd.h"

#include "row_lanes.h"

namespace uam::cpu::UAM_ISA {

// Tokens per task: about 8k logits, and whole vectors of tokens for every instruction set.
inline int64_t tokens_per_block(int64_t experts) { return ((1 << 13) / experts + 15) / 16 * 16; }

inline constexpr int32_t kChosen = std::numeric_limits<int32_t>::min();  // below every key

// Integers in the order of the floats: equal floats (0 and -0 too) have equal keys, NaN is the greatest.
UAM_INLINE vi order_key(vf x) {
  const vi i = bits(x + set1(0.f));
  const vi key = i ^ ((i >> 31) & set1i(0x7fffffff));
  return x == x ? key : set1i(0x7fffffff);
}

// The expert of greatest key in every lane, the lowest index among equals; marks it chosen.
UAM_INLINE vi take_best(int32_t* keys, int64_t experts) {
  vi best = set1i(kChosen), index = set1i(0);
  for (int64_t e = 0; e < experts; ++e) {
    const vi key = loadi(keys + e * W);
    index = key > best ? set1i(int32_t(e)) : index;
    best = key > best ? key : best;
  }
  int32_t lanes[W];
  storei(lanes, index);
  for (int r = 0; r < W; ++r) keys[lanes[r] * W + r] = kChosen;
  return index;
}

// Fills kept, zeroes the weights of dropped choices and counts every expert's choices before dropping.
inline void give_places(const MoeRouteFwd& p, int64_t* places, int64_t* choices) {
  for (int64_t e = 0; e < p.experts; ++e) places[e] = choices[e] = 0;
  for (int64_t c = 0; c < p.k; ++c)
    for (int64_t i = c; i < p.tokens * p.k; i += p.k) {
      const int32_t expert = p.indices.data[i];
      const bool kept = p.capacity == 0 || places[expert] < p.capacity;
      places[expert] += kept;
      choices[expert] += 1;
      p.kept.data[i] = kept;
      if (!kept) p.weights.data[i] = 0.f;
    }
}

void moe_route_fwd(const MoeRouteFwd& p) {
  const int64_t experts = p.experts, k = p.k, grain = tokens_per_block(experts), blocks = (p.tokens + grain - 1) / grain;
  Scratch outer;
  double* sums = outer.take<double>(blocks * (experts + 1));  // [block, (sum of p of every expert, sum of squared logsumexp)]
  parallel_for(p.tokens, grain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    float* tile = scratch.take<float>(experts * W);
    int32_t* keys = scratch.take<int32_t>(experts * W);
    float* weights = scratch.take<float>(k * W);
    float* probabilities = scratch.take<float>(experts * W);  // summed over the block, a sum per lane
    for (int64_t e = 0; e < experts; ++e) store(probabilities + e * W, set1(0.f));
    double squares = 0;
    for (int64_t token = begin; token < end; token += W) {
      const int lanes = int(std::min<int64_t>(W, end - token));
      load_rows(tile, p.logits.data + token * experts, experts, lanes);
      for (int64_t e = 0; e < experts; ++e) storei(keys + e * W, order_key(load(tile + e * W)));
      vf highest_logit;
      const vf total = exponentials(tile, experts, highest_logit);
      vf chosen_total = set1(0.f);
      for (int64_t c = 0; c < k; ++c) {
        int32_t index[W];
        storei(index, take_best(keys, experts));
        for (int r = 0; r < W; ++r) weights[c * W + r] = tile[index[r] * W + r];
        for (int r = 0; r < lanes; ++r) p.indices.data[(token + r) * k + c] = index[r];
        chosen_total += load(weights + c * W);
      }
      const vf divisor = p.renormalize ? chosen_total : total;
      for (int64_t c = 0; c < k; ++c) store(weights + c * W, load(weights + c * W) / divisor);
      store_rows(p.weights.data + token * k, weights, k, lanes);
      const vi present = lane_mask(lanes);
      const vf scale = set1(1.f) / total, log_sum = highest_logit + log(total);
      squares += sum(select(present, log_sum * log_sum, set1(0.f)));
      for (int64_t e = 0; e < experts; ++e)
        store(probabilities + e * W, load(probabilities + e * W) + select(present, load(tile + e * W) * scale, set1(0.f)));
    }
    double* block_sums = sums + begin / grain * (experts + 1);
    for (int64_t e = 0; e < experts; ++e) block_sums[e] = sum(load(probabilities + e * W));
    block_sums[experts] = squares;
  });
  int64_t* places = outer.take<int64_t>(experts);
  int64_t* choices = outer.take<int64_t>(experts);
  give_places(p, places, choices);
  const double tokens = double(std::max<int64_t>(p.tokens, 1));
  double balance = 0, z = 0;
  for (int64_t e = 0; e < experts; ++e) {
    double probability = 0;
    for (int64_t b = 0; b < blocks; ++b) probability += sums[b * (experts + 1) + e];
    const double fraction = double(choices[e]) / (tokens * double(k));
    p.fraction.data[e] = float(fraction);
    balance += fraction * (probability / tokens);
  }
  for (int64_t b = 0; b < blocks; ++b) z += sums[b * (experts + 1) + experts];
  p.load_balance.data[0] = float(double(experts) * balance);
  p.z_loss.data[0] = float(z / tokens);
}

// Choice i = token * k + c. Indices come from outside, so every use checks them.
inline int64_t chosen_expert(const MoeRouteBwd& p, int64_t i) {
  const int32_t expert = p.indices.data[i];
  if (expert < 0 || expert >= p.experts) reject_index("indices", i, expert, p.experts);
  return expert;
}

inline float weight_slope(const MoeRouteBwd& p, int64_t i) { return p.kept.data[i] ? p.dweights.data[i] : 0.f; }

void moe_route_bwd(const MoeRouteBwd& p) {
  const int64_t experts = p.experts, k = p.k;
  const float tokens = float(std::max<int64_t>(p.tokens, 1));
  const float balance = p.dload_balance ? p.dload_balance.data[0] * float(experts) / tokens : 0.f;
  const float z = p.dz_loss ? 2.f * p.dz_loss.data[0] / tokens : 0.f;
  parallel_for(p.tokens, tokens_per_block(experts), [&](int64_t begin, int64_t end) {
    Scratch scratch;
    float* tile = scratch.take<float>(experts * W);
    float* slope = scratch.take<float>(experts * W);  // with respect to p, then to the logits
    for (int64_t token = begin; token < end; token += W) {
      const int lanes = int(std::min<int64_t>(W, end - token));
      load_rows(tile, p.logits.data + token * experts, experts, lanes);
      vf highest_logit;
      const vf total = exponentials(tile, experts, highest_logit), scale = set1(1.f) / total;
      const vf log_slope = p.dz_loss ? set1(z) * (highest_logit + log(total)) : set1(0.f);
      for (int64_t e = 0; e < experts; ++e) store(slope + e * W, set1(balance * p.fraction.data[e]));
      if (p.dweights && !p.renormalize) {
        for (int r = 0; r < lanes; ++r)
          for (int64_t i = (token + r) * k; i < (token + r + 1) * k; ++i) slope[chosen_expert(p, i) * W + r] += weight_slope(p, i);
      }
      vf mean = set1(0.f);
      for (int64_t e = 0; e < experts; ++e) mean = fma(load(tile + e * W) * scale, load(slope + e * W), mean);
      for (int64_t e = 0; e < experts; ++e) store(slope + e * W, load(tile + e * W) * scale * (load(slope + e * W) - mean + log_slope));
      if (p.dweights && p.renormalize) {  // the weights are a softmax of their own, over the chosen
        for (int r = 0; r < lanes; ++r) {
          float chosen_total = 0, chosen_mean = 0;
          for (int64_t i = (token + r) * k; i < (token + r + 1) * k; ++i) {
            const float e = tile[chosen_expert(p, i) * W + r];
            chosen_total += e;
            chosen_mean += e * weight_slope(p, i);
          }
          for (int64_t i = (token + r) * k; i < (token + r + 1) * k; ++i) {
            const int64_t at = chosen_expert(p, i) * W + r;
            slope[at] += tile[at] / chosen_total * (weight_slope(p, i) - chosen_mean / chosen_total);
          }
        }
      }
      store_rows(p.dlogits.data + token * experts, slope, experts, lanes);
    }
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {

template <class P> void require_choices(const P& p) {
  if (p.experts < 1 || p.experts > std::numeric_limits<int32_t>::max() / 64)
    throw KernelError("UAM_SHAPE", "experts must be at least 1, received " + std::to_string(p.experts));
  if (p.k < 1 || p.k > p.experts)
    throw KernelError("UAM_ARGUMENT",
                      "k must be from 1 to the number of experts (" + std::to_string(p.experts) + "), received " + std::to_string(p.k));
}

void moe_route_fwd(const MoeRouteFwd& p) {
  require_choices(p);
  UAM_BEST(moe_route_fwd)(p);
}

void moe_route_bwd(const MoeRouteBwd& p) {
  require_choices(p);
  UAM_BEST(moe_route_bwd)(p);
}

}  // namespace uam::cpu
#endif
