#include "kernels/causal_conv1d.h"

#include "partial_sums.cuh"

// A thread takes one channel of a run of tokens, neighbouring threads neighbouring channels, and passes over them in the order
// of the scan: what the taps meet stays in registers, so a row is read once (and width - 1 rows once more per run).
namespace uam::cuda {

// What both directions read, with `dim` channels of `tokens` tokens.
struct Conv1dInputs {
  int64_t tokens, dim, sequences, run;
  bool reverse, silu;
  const int32_t* offsets;
  const float *x, *weight, *bias;
};

// Positions [from, to) of a sequence of `length`; token(i) is where position i lies.
struct Piece {
  int64_t from, to, length, origin;
  int step;
  __device__ int64_t token(int64_t position) const { return origin + position * step; }
};

// visit(piece) for the sequences that the tokens [begin, end) touch.
template <class Visit> __device__ __forceinline__ void for_pieces(const Conv1dInputs& p, int64_t begin, int64_t end, Visit&& visit) {
  int64_t low = 0, high = p.sequences;
  while (high - low > 1) {  // to the last sequence that starts at or before `begin`
    const int64_t middle = (low + high) / 2;
    (p.offsets[middle] <= begin ? low : high) = middle;
  }
  for (int64_t s = low; s < p.sequences; ++s) {
    const int64_t first = p.offsets[s], last = p.offsets[s + 1];
    if (first >= end) return;
    const int64_t lower = begin > first ? begin : first, upper = end < last ? end : last;
    if (lower >= upper) continue;
    if (p.reverse) visit(Piece{last - upper, last - lower, last - first, last - 1, -1});
    else visit(Piece{lower - first, upper - first, last - first, first, 1});
  }
}

template <int K> struct Taps {
  float weight[K], bias;
  __device__ Taps(const Conv1dInputs& p, int64_t channel) : bias(p.bias ? p.bias[channel] : 0.f) {
#pragma unroll
    for (int k = 0; k < K; ++k) weight[k] = p.weight[channel * K + k];
  }
  // window[k] is what weight[k] meets.
  __device__ float operator()(const float (&window)[K]) const {
    float y = bias;
#pragma unroll
    for (int k = 0; k < K; ++k) y = fmaf(weight[k], window[k], y);
    return y;
  }
};

template <int K> __device__ __forceinline__ void push(float (&window)[K], float x) {
#pragma unroll
  for (int k = 0; k + 1 < K; ++k) window[k] = window[k + 1];
  window[K - 1] = x;
}

// The K - 1 values before a position, and zeros before the sequence.
template <int K>
__device__ __forceinline__ void begin_window(float (&window)[K], const Conv1dInputs& p, const Piece& piece, int64_t channel) {
#pragma unroll
  for (int k = 1; k < K; ++k) {
    const int64_t at = piece.from - K + k;
    window[k] = at >= 0 ? p.x[piece.token(at) * p.dim + channel] : 0.f;
  }
}

inline constexpr int kAtOnce = 8;  // loads that are on their way together

template <int K> __global__ void causal_conv1d_fwd_kernel(Conv1dInputs p, float* out) {
  const int64_t runs = ceil_div(p.tokens, p.run);
  for (int64_t i = first_element(); i < runs * p.dim; i += element_step()) {
    const int64_t channel = i % p.dim, begin = i / p.dim * p.run, end = min(begin + p.run, p.tokens);
    const Taps<K> taps(p, channel);
    for_pieces(p, begin, end, [&](const Piece& piece) {
      float window[K];
      begin_window(window, p, piece, channel);
      for (int64_t first = piece.from; first < piece.to; first += kAtOnce) {
        float x[kAtOnce];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) x[j] = first + j < piece.to ? p.x[piece.token(first + j) * p.dim + channel] : 0.f;
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          if (first + j >= piece.to) break;
          push(window, x[j]);
          const float y = taps(window);
          out[piece.token(first + j) * p.dim + channel] = p.silu ? y / (1.f + expf(-y)) : y;
        }
      }
    });
  }
}

// silu'(x) = s (1 + x (1 - s)), with 1 - s = e s and e = exp(-x). Where e overflows s is 0, and so are both.
__device__ __forceinline__ float silu_derivative(float x) {
  const float e = expf(-x), s = 1.f / (1.f + e);
  return s * fmaf(x, fminf(3e38f, e) * s, 1.f);
}

// A run's share of dWeight and dBias goes to parts_weight[run][dim][K] and parts_bias[run][dim].
template <int K>
__global__ void causal_conv1d_bwd_kernel(Conv1dInputs p, const float* dOut, float* dX, float* parts_weight, float* parts_bias) {
  const int64_t runs = ceil_div(p.tokens, p.run);
  for (int64_t i = first_element(); i < runs * p.dim; i += element_step()) {
    const int64_t channel = i % p.dim, begin = i / p.dim * p.run, end = min(begin + p.run, p.tokens);
    const Taps<K> taps(p, channel);
    float dWeight[K], dBias = 0.f;
#pragma unroll
    for (int k = 0; k < K; ++k) dWeight[k] = 0.f;
    for_pieces(p, begin, end, [&](const Piece& piece) {
      float window[K], gradients[K];  // gradients[K - 1] is the newest: that of the pre-activation at the position
      begin_window(window, p, piece, channel);
#pragma unroll
      for (int k = 0; k < K; ++k) gradients[k] = 0.f;
      // dX at a position needs the gradients of the K - 1 positions after it: those past the run are computed here again.
      const int64_t beyond = piece.to + (dX ? K - 1 : 0);
      for (int64_t first = piece.from; first < beyond; first += kAtOnce) {
        float x[kAtOnce], dy[kAtOnce];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const bool inside = first + j < beyond && first + j < piece.length;
          const int64_t at = inside ? piece.token(first + j) * p.dim + channel : 0;
          x[j] = inside ? p.x[at] : 0.f;
          dy[j] = inside ? dOut[at] : 0.f;
        }
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int64_t position = first + j;
          if (position >= beyond) break;
          push(window, x[j]);
          const bool inside = position < piece.length;
          const float g = !inside ? 0.f : p.silu ? dy[j] * silu_derivative(taps(window)) : dy[j];
          push(gradients, g);
          if (position < piece.to) {
#pragma unroll
            for (int k = 0; k < K; ++k) dWeight[k] = fmaf(g, window[k], dWeight[k]);
            dBias += g;
          }
          const int64_t done = position - (K - 1);
          if (!dX || done < piece.from) continue;
          float sum = 0.f;
#pragma unroll
          for (int k = K - 1; k >= 0; --k) sum = fmaf(taps.weight[k], gradients[K - 1 - k], sum);
          dX[piece.token(done) * p.dim + channel] = sum;
        }
      }
    });
    const int64_t row = i / p.dim * p.dim + channel;
    if (parts_weight) {
#pragma unroll
      for (int k = 0; k < K; ++k) parts_weight[row * K + k] = dWeight[k];
    }
    if (parts_bias) parts_bias[row] = dBias;
  }
}

// Calls visit.operator()<width>().
template <class Visit> static void with_width(int64_t width, Visit&& visit) {
  switch (width) {
    case 1: return visit.template operator()<1>();
    case 2: return visit.template operator()<2>();
    case 3: return visit.template operator()<3>();
    case 4: return visit.template operator()<4>();
    default: throw KernelError("UAM_ARGUMENT", "width must be from 1 to 4");
  }
}

template <class Params> static Conv1dInputs inputs_of(Call& call, const Params& p, int64_t run) {
  return {p.tokens,
          p.dim,
          p.offsets.sequences(),
          run,
          p.reverse,
          p.activation == Conv1dActivation::silu,
          call.upload(p.offsets),
          call.in(p.x),
          call.in(p.weight),
          call.in(p.bias)};
}

// Tokens of a thread: long runs where there is enough for the whole card, so that little is read twice.
static int64_t run_of(int64_t tokens, int64_t dim, int64_t shortest, int64_t longest) {
  return std::clamp<int64_t>(ceil_div<int64_t>(tokens * dim, 1 << 19), shortest, longest);
}

void causal_conv1d_fwd(const CausalConv1dFwd& p) {
  with_width(p.width, [&]<int K>() {
    Call call;
    const Conv1dInputs inputs = inputs_of(call, p, run_of(p.tokens, p.dim, 8, 64));
    call.launch_elements(ceil_div(p.tokens, inputs.run) * p.dim, causal_conv1d_fwd_kernel<K>, inputs, call.out(p.out));
    call.finish();
  });
}

void causal_conv1d_bwd(const CausalConv1dBwd& p) {
  with_width(p.width, [&]<int K>() {
    Call call;
    const Conv1dInputs inputs = inputs_of(call, p, run_of(p.tokens, p.dim, 16, 256));
    const int64_t runs = ceil_div(p.tokens, inputs.run);
    float *dX = call.out(p.dX), *dWeight = call.out(p.dWeight), *dBias = call.out(p.dBias);
    float* parts_weight = dWeight ? call.scratch<float>(runs * p.dim * K) : nullptr;
    float* parts_bias = dBias ? call.scratch<float>(runs * p.dim) : nullptr;
    call.launch_elements(runs * p.dim, causal_conv1d_bwd_kernel<K>, inputs, call.in(p.dOut), dX, parts_weight, parts_bias);
    add_parts(call, runs, p.dim * K, parts_weight, dWeight);
    add_parts(call, runs, p.dim, parts_bias, dBias);
    call.finish();
  });
}

}  // namespace uam::cuda
