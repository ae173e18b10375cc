// Attention on the tensor cores: factors rounded to bf16, sums and the softmax in float32. For heads of up to 128 columns; W is the
// next of 16, 32, 64 and 128.
//
// A warp keeps 16 rows of scores as the accumulators of mma leave them, g = lane / 4 and t = lane % 4: s[n][e] stands in row
// g + 8 * (e / 2), column 8 n + 2 t + e % 2. Rounded, they are at once the left factor of the next product: nothing goes through
// shared memory. Scores are multiplied by log2(e), so that the exponential is one instruction.
#pragma once
#include "attention_tiles.cuh"
#include "mma.cuh"

namespace uam::cuda {

inline constexpr int kBf16Rows = 64, kBf16Threads = 128;
inline constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

// Rows of shared memory, eight numbers apart from a power of two: eight rows at one column lie in different banks.
template <int W> inline constexpr int kBf16Row = W + 8;

// ---- rounding ----

// [tokens, heads, dim] to bf16 [heads, tokens, W]; zeros beyond `dim` and in hidden rows, whatever those hold.
struct Rounding {
  const float* from;
  uint16_t* to;
  int64_t tokens;
  int heads, dim;
  const uint8_t* mask;
  bool vectors;
};
struct Roundings {
  Rounding each[4];
};

template <int W> __global__ void attention_round_kernel(Roundings roundings) {
  const Rounding& r = roundings.each[blockIdx.y];
  constexpr int kRuns = W / 8;
  for (int64_t i = first_element(); i < r.tokens * r.heads * kRuns; i += element_step()) {
    const int64_t row = i / kRuns, token = row / r.heads, head = row % r.heads;
    const int column = int(i % kRuns) * 8;
    const float* from = r.from + row * r.dim + column;
    float x[8] = {};
    if (!r.mask || r.mask[token] != 0) {
      if (r.vectors) {
#pragma unroll
        for (int c = 0; c < 8; c += 4) {
          if (column + c >= r.dim) continue;
          const float4 y = *reinterpret_cast<const float4*>(from + c);
          x[c] = y.x, x[c + 1] = y.y, x[c + 2] = y.z, x[c + 3] = y.w;
        }
      } else {
#pragma unroll
        for (int c = 0; c < 8; ++c)
          if (column + c < r.dim) x[c] = from[c];
      }
    }
    reinterpret_cast<uint4*>(r.to)[(head * r.tokens + token) * kRuns + column / 8] =
        make_uint4(pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3]), pack_bf16(x[4], x[5]), pack_bf16(x[6], x[7]));
  }
}

// ---- tiles in shared memory ----

// `rows` rounded rows on their way to shared memory; zeros from `count` on.
template <int W> __device__ __forceinline__ void fetch_rounded(uint16_t* to, const uint16_t* from, int rows, int count) {
  constexpr int kRuns = W / 8;
  for (int i = int(threadIdx.x); i < rows * kRuns; i += kBf16Threads) {
    const int r = i / kRuns, c = i % kRuns * 8;
    copy_async_16(to + r * kBf16Row<W> + c, from + (r < count ? r * W + c : 0), r < count);
  }
}
// Where this lane's row of four matrices begins: as the left factor (rows x k), as two right factors of 8 columns whose rows lie
// along k, and the same of a matrix whose columns lie along k.
template <int W> __device__ __forceinline__ const uint16_t* left_factor(const uint16_t* tile, int row, int k) {
  const int lane = int(threadIdx.x) % 32;
  return tile + (row + lane % 16) * kBf16Row<W> + k + lane / 16 * 8;
}
template <int W> __device__ __forceinline__ const uint16_t* right_factors(const uint16_t* tile, int column, int k) {
  const int lane = int(threadIdx.x) % 32;
  return tile + (column + lane / 16 * 8 + lane % 8) * kBf16Row<W> + k + lane / 8 % 2 * 8;
}
template <int W> __device__ __forceinline__ const uint16_t* right_factors_transposed(const uint16_t* tile, int k, int column) {
  const int lane = int(threadIdx.x) % 32;
  return tile + (k + lane % 16) * kBf16Row<W> + column + lane / 16 * 8;
}
// c0 and c1 += a times each half of `b`.
__device__ __forceinline__ void mma_two(float (&c0)[4], float (&c1)[4], const uint32_t (&a)[4], const uint32_t (&b)[4]) {
  const uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
  mma_bf16(c0, a, b0);
  mma_bf16(c1, a, b1);
}
// Sixteen columns of scores as a left factor.
__device__ __forceinline__ void round_scores(uint32_t (&a)[4], const float (&low)[4], const float (&high)[4]) {
  a[0] = pack_bf16(low[0], low[1]);
  a[1] = pack_bf16(low[2], low[3]);
  a[2] = pack_bf16(high[0], high[1]);
  a[3] = pack_bf16(high[2], high[3]);
}

// Adds the bias (times log2 e), and makes scores of what is not seen -inf. Rows from `row` (g) and columns from `column` (2 t) on;
// keys_own: rows are keys.
template <bool keys_own, int N> __device__ void adjust_scores_bf16(const AttentionView& view, int row, int column, float (&s)[N][4]) {
  unsigned masked = 0;
  if (view.mask) {
#pragma unroll
    for (int i = 0; i < (keys_own ? 2 : 2 * N); ++i)
      masked |= unsigned(view.masked(keys_own ? row + 8 * i : column + i / 2 * 8 + i % 2)) << i;
  }
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int own = row + e / 2 * 8, other = column + 8 * n + e % 2;
      const int query = keys_own ? other : own, key = keys_own ? own : other;
      const bool seen = key < view.key_limit(query) && (masked >> (keys_own ? e / 2 : 2 * n + e % 2) & 1u) == 0;
      s[n][e] = seen ? s[n][e] : -INFINITY;
    }
  if (!view.bias) return;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int own = row + e / 2 * 8, other = column + 8 * n + e % 2;
      if (s[n][e] != -INFINITY) s[n][e] = fmaf(view.bias_row(keys_own ? other : own)[keys_own ? own : other], kLog2E, s[n][e]);
    }
}

// ---- the host's side ----

// The next width that holds the head, for run.template operator()<W>().
template <class Run> void with_bf16_width(int64_t width, Run&& run) {
  if (width <= 16) run.template operator()<16>();
  else if (width <= 32) run.template operator()<32>();
  else if (width <= 64) run.template operator()<64>();
  else run.template operator()<128>();
}

// What `matmul_precision()` asks for is possible: heads of up to 128 columns. (tf32 runs in float32.)
inline bool wants_bf16(const AttentionProblem& p) { return matmul_precision() == MatmulPrecision::bf16 && p.dim <= 128 && p.dim_v <= 128; }

template <int W> Rounding rounding(Call& call, const float* from, int64_t tokens, int heads, int dim, const uint8_t* mask) {
  return {from, call.scratch<uint16_t>(tokens * heads * W), tokens, heads, dim, mask, dim % 4 == 0 && at_16_bytes(from)};
}

// Rounds up to four arrays in one launch.
template <int W> void round_rows(Call& call, const std::vector<Rounding>& list) {
  Roundings roundings{};
  int64_t most = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    roundings.each[i] = list[i];
    most = std::max(most, list[i].tokens * list[i].heads * (W / 8));
  }
  const int64_t blocks = std::min<int64_t>(ceil_div<int64_t>(most, 256), int64_t(call.multiprocessors()) * 32);
  call.launch({{unsigned(blocks), unsigned(list.size())}, 256}, attention_round_kernel<W>, roundings);
}

void attention_fwd_bf16(Call& call, const AttentionProblem& p, const AttentionArrays& arrays, float* out, float* lse);

struct Bf16Backward {
  const float *out, *d_out, *lse;
  float *d_q, *d_k, *d_v;
};
void attention_bwd_bf16(Call& call, const AttentionProblem& p, const AttentionArrays& arrays, const Bf16Backward& w);

}  // namespace uam::cuda
