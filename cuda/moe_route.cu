#include "kernels/moe_route.h"

#include <limits>

#include "call.cuh"
#include "index_error.h"
#include "row_group.cuh"
#include "stable_order.cuh"

namespace uam::cuda {

// Greater for what is chosen first: the float's order in the high half (0 and -0 are equal, NaN is the greatest), the lower index
// before the higher one in the low half. Never 0.
__device__ inline unsigned long long choice_key(float x, int64_t index) {
  const uint32_t bits = __float_as_uint(x + 0.f);
  const uint32_t order = x != x ? 0xffffffffu : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return (static_cast<unsigned long long>(order) << 32) | ~uint32_t(index);
}
__device__ inline int32_t index_of(unsigned long long key) { return int32_t(~uint32_t(key)); }

struct Later {
  __device__ unsigned long long operator()(unsigned long long a, unsigned long long b) const { return a > b ? a : b; }
};

// Choices and weights of a block's tokens, before any is dropped. squares[block] = sum of squared logarithms of their totals.
template <int kLanes, bool kWide> __global__ void __launch_bounds__(kRowThreads, 4)
    moe_route_fwd_kernel(bool renormalize, int64_t tokens, int64_t experts, int64_t k, const float* logits, int32_t* indices,
                         float* weights, uint8_t* kept, SoftmaxOfRow* softmax, double* squares) {
  const int64_t first = blockIdx.x * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const int lane = int(threadIdx.x % kLanes);
  double squares_sum = 0;
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t token = first + pass * rows_per_pass<kLanes>();
    const bool present = token < tokens;
    const Row<kLanes, kWide> row(logits + token * experts, experts, present);
    const float highest = row.max(), total = row.sum_of_exponentials(highest);
    unsigned long long last = ~0ull;  // each choice is the greatest key below the one before
    float chosen_total = 0.f;
    for (int64_t c = 0; c < k; ++c) {
      unsigned long long best = 0;
      row.each([&](int64_t e, float x) {
        const unsigned long long key = choice_key(x, e);
        if (key < last && key > best) best = key;
      });
      last = row_reduce<kLanes>(best, Later());
      if (!present) continue;
      const float exponential = expf(row.from[index_of(last)] - highest);
      chosen_total += exponential;
      if (c % kLanes != lane) continue;  // this lane writes the choice, and reads it again below
      indices[token * k + c] = index_of(last);
      kept[token * k + c] = 1;
      weights[token * k + c] = exponential;
    }
    if (!present) continue;
    const float divisor = renormalize ? chosen_total : total;
    for (int64_t c = lane; c < k; c += kLanes) weights[token * k + c] /= divisor;
    if (lane != 0) continue;
    const float log_sum = highest + logf(total);
    squares_sum += log_sum * log_sum;
    softmax[token] = {highest, 1.f / total};
  }
  squares_sum = block_sum(squares_sum);
  if (threadIdx.x == 0) squares[blockIdx.x] = squares_sum;
}

// sums[block, e] = sum of the probabilities of expert e over the block's tokens; a block for every slab of experts.
template <int kLanes> __global__ void __launch_bounds__(kRowThreads, 4)
    expert_sums_kernel(int64_t tokens, int64_t experts, int64_t slabs, const float* logits, const SoftmaxOfRow* softmax, double* sums) {
  const int64_t block = blockIdx.x / slabs, from = blockIdx.x % slabs * kSlab;
  const int64_t first = block * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const int columns = int(min(experts - from, int64_t(kSlab)));
  float mine[kRowNumbers][1] = {};
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t token = first + pass * rows_per_pass<kLanes>();
    if (token >= tokens) break;
    const Row<kLanes, false> row(logits + token * experts + from, columns, true);
    const SoftmaxOfRow s = softmax[token];
    row.each([&](int64_t c, float x) { mine[c / kLanes][0] += expf(x - s.highest) * s.scale; });
  }
  add_row_groups<kLanes, 1>(mine, columns, sums + block * experts + from);
}

// One block: the shares of choices, and both losses.
__global__ void moe_route_losses_kernel(int64_t tokens, int64_t experts, int64_t k, int64_t blocks, const double* sums,
                                        const double* squares, const int32_t* starts, float* fraction, float* load_balance, float* z_loss) {
  const double count = double(max(tokens, int64_t(1)));
  const int lane = int(threadIdx.x % 32);
  double balance = 0, z = 0;
  for (int64_t e = threadIdx.x / 32; e < experts; e += blockDim.x / 32) {
    double probability = 0;
    for (int64_t b = lane; b < blocks; b += 32) probability += sums[b * experts + e];
    probability = warp_sum(probability);
    if (lane != 0) continue;
    const double share = double(starts[e + 1] - starts[e]) / (count * double(k));
    fraction[e] = float(share);
    balance += share * (probability / count);
  }
  for (int64_t b = threadIdx.x; b < blocks; b += blockDim.x) z += squares[b];
  balance = block_sum(balance);
  z = block_sum(z);
  if (threadIdx.x != 0) return;
  load_balance[0] = float(double(experts) * balance);
  z_loss[0] = float(z / count);
}

// Items are choices in the order in which places are given: all first ones by token, then all second ones.
struct ExpertInTurn {
  int64_t tokens, k;
  const int32_t* indices;
  __device__ int64_t choice(int64_t item) const { return item % tokens * k + item / tokens; }
  __device__ int32_t operator()(int64_t item) const { return indices[choice(item)]; }
};

struct DropBeyondCapacity {
  ExpertInTurn experts;
  int64_t capacity;
  const int32_t* starts;
  uint8_t* kept;
  float* weights;
  __device__ void operator()(int64_t item, int32_t expert, int32_t position) const {
    if (position - starts[expert] < capacity) return;
    const int64_t choice = experts.choice(item);
    kept[choice] = 0;
    weights[choice] = 0.f;
  }
};

struct MoeSlopes {
  bool renormalize;
  int64_t tokens, experts, k;
  const float* logits;
  const int32_t* indices;
  const uint8_t* kept;
  const float *fraction, *dweights, *dload_balance, *dz_loss;
  Fault* fault;

  // visit(choice, expert, slope of its weight) for the choices of a token that name an expert
  template <class Visit> __device__ void each_choice(int64_t token, bool speaks, Visit&& visit) const {
    for (int64_t i = token * k; i < (token + 1) * k; ++i) {
      const int32_t expert = indices[i];
      if (expert >= 0 && expert < experts) visit(expert, kept[i] ? dweights[i] : 0.f);
      else if (speaks) report_fault(fault, i, expert);
    }
  }
};

template <int kLanes, bool kWide> __global__ void __launch_bounds__(kRowThreads, 4) moe_route_bwd_kernel(MoeSlopes p, float* dlogits) {
  const int64_t first = blockIdx.x * rows_per_block<kLanes>() + threadIdx.x / kLanes;
  const bool speaks = threadIdx.x % kLanes == 0;
  const float balance = p.dload_balance ? p.dload_balance[0] * float(p.experts) / float(p.tokens) : 0.f;
  const float z = p.dz_loss ? 2.f * p.dz_loss[0] / float(p.tokens) : 0.f;
  for (int pass = 0; pass < kRowPasses; ++pass) {
    const int64_t token = first + pass * rows_per_pass<kLanes>();
    const bool present = token < p.tokens;
    const Row<kLanes, kWide> row(p.logits + token * p.experts, p.experts, present);
    const float highest = row.max(), total = row.sum_of_exponentials(highest), scale = 1.f / total;
    const float log_slope = p.dz_loss ? z * (highest + logf(total)) : 0.f;
    // The slope of a choice's weight reaches its own expert; where weights are renormalised they are a softmax of their own.
    float chosen_total = 0.f, chosen_mean = 0.f;
    const bool chosen = present && p.dweights;
    if (chosen && p.renormalize) {
      p.each_choice(token, speaks, [&](int32_t expert, float slope) {
        const float e = expf(row.from[expert] - highest);
        chosen_total += e;
        chosen_mean += e * slope;
      });
      chosen_mean /= chosen_total;
    }
    const auto slope_of_probability = [&](int64_t e) {
      float slope = balance * p.fraction[e];
      if (chosen && !p.renormalize) p.each_choice(token, speaks, [&](int32_t expert, float dw) { slope += expert == e ? dw : 0.f; });
      return slope;
    };
    float mean = 0.f;
    row.each([&](int64_t e, float x) { mean = fmaf(expf(x - highest) * scale, slope_of_probability(e), mean); });
    mean = row_sum<kLanes>(mean);
    row.each([&](int64_t e, float x) {
      const float exponential = expf(x - highest);
      float slope = exponential * scale * (slope_of_probability(e) - mean + log_slope);
      if (chosen && p.renormalize)
        p.each_choice(token, false, [&](int32_t expert, float dw) {
          if (expert == e) slope += exponential / chosen_total * (dw - chosen_mean);
        });
      dlogits[token * p.experts + e] = slope;
    });
  }
}

template <class P> static void require_choices(const P& p) {
  if (p.experts < 1 || p.experts > std::numeric_limits<int32_t>::max() / 64)
    throw KernelError("UAM_SHAPE", "experts must be at least 1, received " + std::to_string(p.experts));
  if (p.k < 1 || p.k > p.experts)
    throw KernelError("UAM_ARGUMENT",
                      "k must be from 1 to the number of experts (" + std::to_string(p.experts) + "), received " + std::to_string(p.k));
}

void moe_route_fwd(const MoeRouteFwd& p) {
  require_choices(p);
  Call call;
  const float* logits = call.in(p.logits);
  float *weights = call.out(p.weights), *fraction = call.out(p.fraction);
  int32_t* indices = call.out(p.indices);
  uint8_t* kept = call.out(p.kept);
  float *load_balance = call.out(p.load_balance), *z_loss = call.out(p.z_loss);
  auto* softmax = call.scratch<SoftmaxOfRow>(p.tokens);
  auto* starts = call.scratch<int32_t>(p.experts + 1);
  with_row_shape(p.experts, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    const int64_t blocks = ceil_div(p.tokens, rows_per_block<kLanes>()), slabs = ceil_div<int64_t>(p.experts, kSlab);
    auto* sums = call.scratch<double>(blocks * p.experts);
    auto* squares = call.scratch<double>(blocks);
    call.launch({unsigned(blocks), kRowThreads}, moe_route_fwd_kernel<kLanes, shape.kWide>, p.renormalize, p.tokens, p.experts, p.k, logits,
                indices, weights, kept, softmax, squares);
    call.launch({unsigned(blocks * slabs), kRowThreads}, expert_sums_kernel<kLanes>, p.tokens, p.experts, slabs, logits, softmax, sums);
    const ExpertInTurn experts{p.tokens, p.k, indices};
    const KeyUnits units = count_keys(call, p.tokens * p.k, p.experts, experts, starts);
    if (p.capacity > 0) place_keys(call, units, experts, DropBeyondCapacity{experts, p.capacity, starts, kept, weights});
    call.launch({1, 512}, moe_route_losses_kernel, p.tokens, p.experts, p.k, blocks, sums, squares, starts, fraction, load_balance, z_loss);
  });
  call.finish();
}

void moe_route_bwd(const MoeRouteBwd& p) {
  require_choices(p);
  Call call;
  const int64_t experts = p.experts;
  Fault* fault = call.fault([=](int64_t place, int32_t value) { reject_index("indices", place, value, experts); });
  const MoeSlopes slopes{p.renormalize,
                         p.tokens,
                         experts,
                         p.k,
                         call.in(p.logits),
                         call.in(p.indices),
                         call.in(p.kept),
                         call.in(p.fraction),
                         call.in(p.dweights),
                         call.in(p.dload_balance),
                         call.in(p.dz_loss),
                         fault};
  float* dlogits = call.out(p.dlogits);
  with_row_shape(experts, [&](auto shape) {
    constexpr int kLanes = shape.kLanes;
    call.launch({unsigned(ceil_div(p.tokens, rows_per_block<kLanes>())), kRowThreads}, moe_route_bwd_kernel<kLanes, shape.kWide>, slopes,
                dlogits);
  });
  call.finish();
}

}  // namespace uam::cuda
