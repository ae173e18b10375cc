#include "kernels/causal_conv1d.h"

#include "column_sums.h"
#include "parallel.h"
#include "sequences.h"
#define UAM_SIMD_FILE "kernels/causal_conv1d.cpp"
#include "simd.h"

#include "rows.h"

namespace uam::cpu::UAM_ISA {

// Positions are taken four at a time: seven rows of x give four rows out, so that every row is read about twice, from
// the nearest cache, and the weights a quarter as often.
inline constexpr int kGroup = 4;

// What every block reads: the weights with a row per tap, and a row of zeros for the tokens outside a sequence.
struct Tables {
  Scratch memory;
  float *taps, *zeros;  // [width, dim], [dim]
  Tables(const float* weight, int64_t dim, int64_t width) : taps(memory.take<float>(width * dim)), zeros(memory.take<float>(dim)) {
    for (int64_t d = 0; d < dim; ++d) {
      for (int64_t k = 0; k < width; ++k) taps[k * dim + d] = weight[d * width + k];
      zeros[d] = 0;
    }
  }
};

// out[g] = act(bias + sum_k taps[k] rows[g + k])
template <int K, int G, bool Silu> UAM_INLINE void convolve(const float* const (&taps)[K], const float* bias,
                                                            const float* const (&rows)[K + G - 1], float* const (&out)[G], int64_t dim) {
  for_lanes(dim, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
    vf w[K], x[K + G - 1];
    for (int k = 0; k < K; ++k) w[k] = lanes.load(taps[k] + i);
    for (int r = 0; r < K + G - 1; ++r) x[r] = lanes.load(rows[r] + i);
    const vf start = bias ? lanes.load(bias + i) : vf{};
    for (int g = 0; g < G; ++g) {
      vf y = start;
      for (int k = 0; k < K; ++k) y = fma(w[k], x[g + k], y);
      lanes.store(out[g] + i, Silu ? silu(y) : y);
    }
  });
}

// The gradient of the pre-activation, dPre[g] = dOut[g] silu'(pre[g]) (without an activation it is dOut itself and is
// not stored), and what it adds to the gradients of the taps and the bias, sums[width + 1][dim], unless that is null.
template <int K, int G, bool Silu> UAM_INLINE void backpropagate(const float* const (&taps)[K], const float* bias,
                                                                 const float* const (&rows)[K + G - 1], const float* const (&d_out)[G],
                                                                 float* const (&d_pre)[G], float* sums, int64_t dim) {
  for_lanes(dim, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA {
    vf x[K + G - 1], g_pre[G];
    for (int r = 0; r < K + G - 1; ++r) x[r] = lanes.load(rows[r] + i);
    for (int g = 0; g < G; ++g) g_pre[g] = lanes.load(d_out[g] + i);
    if (Silu) {
      vf w[K];
      for (int k = 0; k < K; ++k) w[k] = lanes.load(taps[k] + i);
      const vf start = bias ? lanes.load(bias + i) : vf{};
      for (int g = 0; g < G; ++g) {
        vf y = start;
        for (int k = 0; k < K; ++k) y = fma(w[k], x[g + k], y);
        g_pre[g] = g_pre[g] * silu_slope(y);
        lanes.store(d_pre[g] + i, g_pre[g]);
      }
    }
    if (!sums) return;
    for (int k = 0; k < K; ++k) {
      vf sum = lanes.load(sums + k * dim + i);
      for (int g = 0; g < G; ++g) sum = fma(g_pre[g], x[g + k], sum);
      lanes.store(sums + k * dim + i, sum);
    }
    vf sum = lanes.load(sums + K * dim + i);
    for (int g = 0; g < G; ++g) sum = sum + g_pre[g];
    lanes.store(sums + K * dim + i, sum);
  });
}

// group(position, count) over [begin, end), kGroup positions at a time and then one by one.
template <class Group> UAM_INLINE void for_groups(int64_t begin, int64_t end, Group&& group) {
  int64_t p = begin;
  for (; p + kGroup <= end; p += kGroup) group(p, std::integral_constant<int, kGroup>{});
  for (; p < end; ++p) group(p, std::integral_constant<int, 1>{});
}

template <int K, bool Silu> void forward(const CausalConv1dFwd& p) {
  const int64_t dim = p.dim;
  const Tables tables(p.weight.data, dim, K);
  parallel_for(p.tokens, 1 + (1 << 14) / (dim + 1), [&](int64_t begin, int64_t end) {
    const float* taps[K];
    for (int k = 0; k < K; ++k) taps[k] = tables.taps + k * dim;
    for_sequences(p.offsets, p.reverse, begin, end, [&](const Sequence& sequence, int64_t from, int64_t to) {
      for_groups(from, to, [&](int64_t position, auto count) {
        constexpr int G = count;
        const float* rows[K + G - 1];
        float* out[G];
        for (int r = 0; r < K + G - 1; ++r) {
          const int64_t at = position - (K - 1) + r;
          rows[r] = at >= 0 ? p.x.data + sequence.token(at) * dim : tables.zeros;
        }
        for (int g = 0; g < G; ++g) out[g] = p.out.data + sequence.token(position + g) * dim;
        convolve<K, G, Silu>(taps, p.bias.data, rows, out, dim);
      });
    });
  });
}

// A stretch of positions at a time, short enough for dPre to stay in the second-level cache. dX at a position needs dPre
// of the width - 1 positions after it, which are computed here again if they belong to the next stretch.
template <int K, bool Silu> void backward(const CausalConv1dBwd& p) {
  const int64_t dim = p.dim, block_tokens = rows_per_block(p.tokens, dim), stretch = 8 + (1 << 15) / (dim + 1);
  const Tables tables(p.weight.data, dim, K);
  const ColumnSums sums(p.tokens, block_tokens, (K + 1) * dim);
  parallel_for(p.tokens, block_tokens, [&](int64_t begin, int64_t end) {
    ColumnSums::Block block(sums, begin);
    Scratch scratch;
    float* d_pre_rows = Silu ? scratch.take<float>((stretch + K - 1) * dim) : nullptr;
    const float *taps[K], *taps_reversed[K];
    for (int k = 0; k < K; ++k) taps[k] = taps_reversed[K - 1 - k] = tables.taps + k * dim;

    for_sequences(p.offsets, p.reverse, begin, end, [&](const Sequence& sequence, int64_t from, int64_t to) {
      for (int64_t start = from; start < to; start += stretch) {
        const int64_t stop = start + stretch < to ? start + stretch : to;
        const int64_t beyond = stop + K - 1 < sequence.length() ? stop + K - 1 : sequence.length();

        const auto to_pre = [&](int64_t position, auto count, float* added) {
          constexpr int G = count;
          const float *rows[K + G - 1], *d_out[G];
          float* d_pre[G];
          for (int r = 0; r < K + G - 1; ++r) {
            const int64_t at = position - (K - 1) + r;
            rows[r] = at >= 0 ? p.x.data + sequence.token(at) * dim : tables.zeros;
          }
          for (int g = 0; g < G; ++g) {
            d_out[g] = p.dOut.data + sequence.token(position + g) * dim;
            d_pre[g] = Silu ? d_pre_rows + (position + g - start) * dim : nullptr;
          }
          backpropagate<K, G, Silu>(taps, p.bias.data, rows, d_out, d_pre, added, dim);
        };
        for_groups(start, stop, [&](int64_t position, auto count) {
          to_pre(position, count, block.fresh());
          block.next_row();
        });
        if (!p.dX) continue;
        if (Silu) for_groups(stop, beyond, [&](int64_t position, auto count) { to_pre(position, count, nullptr); });

        for_groups(start, stop, [&](int64_t position, auto count) {
          constexpr int G = count;
          const float* rows[K + G - 1];
          float* d_x[G];
          for (int r = 0; r < K + G - 1; ++r) {
            const int64_t at = position + r;
            rows[r] = at >= beyond ? tables.zeros : Silu ? d_pre_rows + (at - start) * dim : p.dOut.data + sequence.token(at) * dim;
          }
          for (int g = 0; g < G; ++g) d_x[g] = p.dX.data + sequence.token(position + g) * dim;
          convolve<K, G, false>(taps_reversed, nullptr, rows, d_x, dim);
        });
      }
    });
  });
  if (p.dWeight) {
    Scratch scratch;
    float* by_tap = scratch.take<float>(K * dim);
    sums.finish(0, K * dim, by_tap);
    for (int64_t d = 0; d < dim; ++d)
      for (int k = 0; k < K; ++k) p.dWeight.data[d * K + k] = by_tap[k * dim + d];
  }
  if (p.dBias) sums.finish(K * dim, dim, p.dBias.data);
}

// Calls visit.operator()<width, silu>().
template <class Visit> void with_constants(int64_t width, Conv1dActivation activation, Visit&& visit) {
  const auto with_width = [&]<int K>() {
    activation == Conv1dActivation::silu ? visit.template operator()<K, true>() : visit.template operator()<K, false>();
  };
  switch (width) {
    case 1: return with_width.template operator()<1>();
    case 2: return with_width.template operator()<2>();
    case 3: return with_width.template operator()<3>();
    case 4: return with_width.template operator()<4>();
    default: throw KernelError("UAM_ARGUMENT", "width must be from 1 to 4");
  }
}

void causal_conv1d_fwd(const CausalConv1dFwd& p) {
  with_constants(p.width, p.activation, [&]<int K, bool Silu>() { forward<K, Silu>(p); });
}

void causal_conv1d_bwd(const CausalConv1dBwd& p) {
  with_constants(p.width, p.activation, [&]<int K, bool Silu>() { backward<K, Silu>(p); });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void causal_conv1d_fwd(const CausalConv1dFwd& p) { UAM_BEST(causal_conv1d_fwd)(p); }
void causal_conv1d_bwd(const CausalConv1dBwd& p) { UAM_BEST(causal_conv1d_bwd)(p); }
}  // namespace uam::cpu
#endif
