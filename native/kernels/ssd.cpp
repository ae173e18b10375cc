#include "kernels/ssd.h"

#include "parallel.h"
#include "scratch.h"
#include "sequences.h"
#define UAM_SIMD_FILE "kernels/ssd.cpp"
#include "simd.h"

#include "rows.h"

namespace uam::cpu::UAM_ISA {

// A head is scanned in strips of V vectors of its headDim. A strip's state lies as [state, V * W], so that vectors run
// along headDim and B and C are broadcast: no sum across lanes in the forward.
template <int V> inline constexpr int64_t kStripWidth = int64_t(V) * W;
inline constexpr int kStripVectors = 2;

// strip(first, vectors, lanes) over a headDim: whole strips, then single vectors.
template <class Strip> UAM_INLINE void for_strips(int64_t head_dim, Strip&& strip) {
  int64_t p = 0;
  for (; p + kStripWidth<kStripVectors> <= head_dim; p += kStripWidth<kStripVectors>)
    strip(p, std::integral_constant<int, kStripVectors>{}, WholeVector{});
  for_lanes(head_dim - p, [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA { strip(p + i, std::integral_constant<int, 1>{}, lanes); });
}

// One head of one sequence: where its data lie, and its steps and decays in order of position.
struct Head {
  const SsdFwd& p;
  Sequence sequence;
  int64_t index, head, group;  // index of [sequences, heads]
  float *step, *decay;         // [length]

  Head(const SsdFwd& p, int64_t s, int64_t head, Scratch& scratch)
      : p(p),
        sequence(sequence_of(p.offsets, s, p.reverse)),
        index(s * p.heads + head),
        head(head),
        group(head / (p.heads / p.groups)),
        step(scratch.take<float>(sequence.length())),
        decay(scratch.take<float>(sequence.length())) {
    const float bias = p.dtBias ? p.dtBias.data[head] : 0;
    for (int64_t i = 0; i < sequence.length(); ++i) step[i] = raw_step(i) + bias;
    if (p.dtSoftplus)
      for_lanes(sequence.length(), [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA { lanes.store(step + i, softplus(lanes.load(step + i))); });
    // scalar: its errors add up along the sequence, and the library's exp is five times as exact as the vector one
    for (int64_t i = 0; i < sequence.length(); ++i) decay[i] = std::exp(step[i] * p.A.data[head]);
  }
  float raw_step(int64_t i) const { return p.dt.data[sequence.token(i) * p.heads + head]; }
  int64_t inner(int64_t i) const { return (sequence.token(i) * p.heads + head) * p.headDim; }  // in [tokens, heads, headDim]
  int64_t outer(int64_t i) const { return (sequence.token(i) * p.groups + group) * p.state; }  // in [tokens, groups, state]
  int64_t states(int64_t first) const { return (index * p.headDim + first) * p.state; }        // in [sequences, heads, headDim, state]
};

// Between [headDim, state], as tensors hold a state, and [state, width], as a strip does; lanes past `count` are zero.
inline void load_state(const float* from, float* h, int64_t count, int64_t width, int64_t state) {
  for (int64_t n = 0; n < state; ++n)
    for (int64_t i = 0; i < width; ++i) h[n * width + i] = from && i < count ? from[i * state + n] : 0.f;
}
inline void store_state(const float* h, float* to, int64_t count, int64_t width, int64_t state) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t n = 0; n < state; ++n) to[i * state + n] = h[n * width + i];
}

// to = decay from + B (step x), for the whole strip.
template <int V> UAM_INLINE void advance(const float* from, float* to, vf decay, const vf (&step_x)[V], const float* B, int64_t state) {
  for (int64_t n = 0; n < state; ++n)
    for (int v = 0; v < V; ++v) {
      const int64_t at = n * kStripWidth<V> + v * W;
      store(to + at, fma(decay, load(from + at), set1(B[n]) * step_x[v]));
    }
}

template <int V, class Lanes> UAM_INLINE void load_strip(vf (&to)[V], const float* from, Lanes lanes) {
  for (int v = 0; v < V; ++v) to[v] = lanes.load(from + v * W);
}

template <int V, class Lanes> UAM_INLINE void load_step_x(vf (&to)[V], const Head& head, int64_t i, int64_t first, Lanes lanes) {
  load_strip(to, head.p.x.data + head.inner(i) + first, lanes);
  for (int v = 0; v < V; ++v) to[v] = to[v] * set1(head.step[i]);
}

template <int V, class Lanes> UAM_INLINE void forward_strip(const SsdFwd& p, const Head& head, int64_t first, Lanes lanes, float* h) {
  constexpr int64_t width = kStripWidth<V>;
  const int64_t count = width < p.headDim - first ? width : p.headDim - first;
  load_state(p.h0 ? p.h0.data + head.states(first) : nullptr, h, count, width, p.state);
  for (int64_t i = 0; i < head.sequence.length(); ++i) {
    const float *B = p.B.data + head.outer(i), *C = p.C.data + head.outer(i);
    const int64_t at = head.inner(i) + first;
    vf x[V], step_x[V], y[V];
    load_strip(x, p.x.data + at, lanes);
    const vf decay = set1(head.decay[i]), D = set1(p.D ? p.D.data[head.head] : 0.f);
    for (int v = 0; v < V; ++v) step_x[v] = x[v] * set1(head.step[i]), y[v] = vf{};
    for (int64_t n = 0; n < p.state; ++n) {
      const vf b = set1(B[n]), c = set1(C[n]);
      for (int v = 0; v < V; ++v) {
        const vf next = fma(decay, load(h + n * width + v * W), b * step_x[v]);
        store(h + n * width + v * W, next);
        y[v] = fma(c, next, y[v]);
      }
    }
    for (int v = 0; v < V; ++v) {
      if (p.D) y[v] = fma(D, x[v], y[v]);
      if (p.z) y[v] = y[v] * silu(lanes.load(p.z.data + at + v * W));
      lanes.store(p.out.data + at + v * W, y[v]);
    }
  }
  store_state(h, p.lastState.data + head.states(first), count, width, p.state);
}

void ssd_fwd(const SsdFwd& p) {
  parallel_for(p.offsets.sequences() * p.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Scratch scratch;
      const Head head(p, task / p.heads, task % p.heads, scratch);
      float* h = scratch.take<float>(kStripWidth<kStripVectors> * p.state);
      for_strips(p.headDim, [&](int64_t first, auto vectors, auto lanes) { forward_strip<vectors>(p, head, first, lanes, h); });
    }
  });
}

// --- backward -------------------------------------------------------------------------------------------------------

// Lane i of the result is the sum of v[i]'s lanes: log2(W) rounds, each halving the number of vectors.
UAM_INLINE vf sums_of(vf (&v)[W]) {
#if defined(__GNUC__)
  const vi lane = loadi(kLaneIndex);
  for (int half = W / 2; half >= 1; half /= 2) {
    const vi upper = (lane & half) != 0, stay = lane + (upper & set1i(W)), cross = (lane ^ half) + (upper & set1i(W));
    for (int i = 0; i < half; ++i) v[i] = __builtin_shuffle(v[i], v[i + half], stay) + __builtin_shuffle(v[i], v[i + half], cross);
  }
#endif
  return v[0];
}

// What a head leaves behind, summed over the sequences afterwards.
struct HeadSums {
  double dA, dD, dDtBias;
};

// Working memory of one head's backward.
struct BackwardMemory {
  int64_t stretch;           // positions between two kept states
  float *kept, *history;     // [length / stretch + 1][state, strip], [stretch + 1][state, strip]
  float* gradient;           // [state, strip]: decay[i + 1] G[i + 1]
  float *decay_sum, *x_sum;  // [length]: sum_pn G H[i-1], sum_pn G x B
  BackwardMemory(int64_t length, int64_t state, Scratch& scratch) : stretch(16) {
    while (stretch * stretch * 16 < length) ++stretch;
    const int64_t strip = kStripWidth<kStripVectors> * state;
    kept = scratch.take<float>((length / stretch + 1) * strip);
    history = scratch.take<float>((stretch + 1) * strip);
    gradient = scratch.take<float>(strip);
    decay_sum = scratch.take<float>(length);
    x_sum = scratch.take<float>(length);
    for (int64_t i = 0; i < length; ++i) decay_sum[i] = x_sum[i] = 0;
  }
};

// One position, with the states before and after it. dB and dC are added to, or left alone where null.
template <int V, bool Gated, class Lanes> UAM_INLINE void backward_position(const SsdBwd& p, const Head& head, int64_t i, int64_t first,
                                                                            Lanes lanes, const BackwardMemory& memory, const float* before,
                                                                            const float* after, float* dB, float* dC, double& dD) {
  constexpr int64_t width = kStripWidth<V>;
  const float *B = p.B.data + head.outer(i), *C = p.C.data + head.outer(i);
  const int64_t at = head.inner(i) + first;
  const vf decay = set1(head.decay[i]);
  vf x[V], step_x[V], e[V], d_step_x[V], y[V], decay_sum = {};
  load_strip(x, p.x.data + at, lanes);
  load_strip(e, p.dOut.data + at, lanes);
  for (int v = 0; v < V; ++v) {
    step_x[v] = x[v] * set1(head.step[i]);
    if (Gated) e[v] = e[v] * silu(lanes.load(p.z.data + at + v * W));
    d_step_x[v] = y[v] = vf{};
  }
  for (int64_t n0 = 0; n0 < p.state; n0 += W) {
    const int count = int(p.state - n0 < W ? p.state - n0 : W);
    vf b_sums[W], c_sums[W];
    for (int k = 0; k < count; ++k) {
      const int64_t n = n0 + k;
      const vf b = set1(B[n]), c = set1(C[n]);
      vf b_sum = {}, c_sum = {};
      for (int v = 0; v < V; ++v) {
        const vf h = load(after + n * width + v * W), g = fma(c, e[v], load(memory.gradient + n * width + v * W));
        d_step_x[v] = fma(b, g, d_step_x[v]);
        decay_sum = fma(g, load(before + n * width + v * W), decay_sum);
        b_sum = fma(g, step_x[v], b_sum);
        c_sum = fma(h, e[v], c_sum);
        if (Gated) y[v] = fma(c, h, y[v]);
        store(memory.gradient + n * width + v * W, g * decay);
      }
      b_sums[k] = b_sum;
      c_sums[k] = c_sum;
    }
    for (int k = count; k < W; ++k) b_sums[k] = c_sums[k] = vf{};
    if (dB) store_n(dB + n0, load_n(dB + n0, count) + sums_of(b_sums), count);
    if (dC) store_n(dC + n0, load_n(dC + n0, count) + sums_of(c_sums), count);
  }
  vf x_sum = {}, d_sum = {};
  const vf D = set1(p.D ? p.D.data[head.head] : 0.f);
  for (int v = 0; v < V; ++v) {
    x_sum = fma(x[v], d_step_x[v], x_sum);
    d_sum = fma(x[v], e[v], d_sum);
    if (p.dX) lanes.store(p.dX.data + at + v * W, p.D ? fma(D, e[v], d_step_x[v] * set1(head.step[i])) : d_step_x[v] * set1(head.step[i]));
    if (Gated && p.dZ) {
      const vf full = p.D ? fma(D, x[v], y[v]) : y[v];
      lanes.store(p.dZ.data + at + v * W, lanes.load(p.dOut.data + at + v * W) * full * silu_slope(lanes.load(p.z.data + at + v * W)));
    }
  }
  memory.decay_sum[i] += sum(decay_sum);
  memory.x_sum[i] += sum(x_sum);
  dD += double(sum(d_sum));
}

// A pass forward keeps the state before every stretch; then each stretch, the last one first, is scanned once more
// with its whole history in the cache, and run backward.
template <int V, bool Gated, class Lanes> UAM_INLINE void backward_strip(const SsdBwd& p, const Head& head, int64_t first, Lanes lanes,
                                                                         const BackwardMemory& memory, float* dB, float* dC, double& dD) {
  constexpr int64_t width = kStripWidth<V>;
  const int64_t count = width < p.headDim - first ? width : p.headDim - first, strip = width * p.state, length = head.sequence.length();
  load_state(p.dLastState ? p.dLastState.data + head.states(first) : nullptr, memory.gradient, count, width, p.state);

  float* h = memory.history;
  load_state(p.h0 ? p.h0.data + head.states(first) : nullptr, h, count, width, p.state);
  const int64_t stretches = (length + memory.stretch - 1) / memory.stretch;
  for (int64_t i = 0; i < (stretches - 1) * memory.stretch + 1 && i < length; ++i) {
    if (i % memory.stretch == 0) std::memcpy(memory.kept + i / memory.stretch * strip, h, size_t(strip) * sizeof(float));
    vf step_x[V];
    load_step_x(step_x, head, i, first, lanes);
    advance(h, h, set1(head.decay[i]), step_x, p.B.data + head.outer(i), p.state);
  }

  for (int64_t s = stretches - 1; s >= 0; --s) {
    const int64_t begin = s * memory.stretch, end = begin + memory.stretch < length ? begin + memory.stretch : length;
    std::memcpy(memory.history, memory.kept + s * strip, size_t(strip) * sizeof(float));
    for (int64_t i = begin; i < end; ++i) {
      vf step_x[V];
      load_step_x(step_x, head, i, first, lanes);
      float* before = memory.history + (i - begin) * strip;
      advance(before, before + strip, set1(head.decay[i]), step_x, p.B.data + head.outer(i), p.state);
    }
    for (int64_t i = end - 1; i >= begin; --i) {
      const float* before = memory.history + (i - begin) * strip;
      backward_position<V, Gated>(p, head, i, first, lanes, memory, before, before + strip, dB ? dB + head.outer(i) : nullptr,
                                  dC ? dC + head.outer(i) : nullptr, dD);
    }
  }
  if (p.dH0) store_state(memory.gradient, p.dH0.data + head.states(first), count, width, p.state);
}

inline HeadSums backward_head(const SsdBwd& p, const Head& head, Scratch& scratch, float* dB, float* dC) {
  HeadSums sums{};
  const int64_t length = head.sequence.length();
  const BackwardMemory memory(length, p.state, scratch);
  for_strips(p.headDim, [&](int64_t first, auto vectors, auto lanes) {
    if (p.z) backward_strip<vectors, true>(p, head, first, lanes, memory, dB, dC, sums.dD);
    else backward_strip<vectors, false>(p, head, first, lanes, memory, dB, dC, sums.dD);
  });
  const float A = p.A.data[head.head], bias = p.dtBias ? p.dtBias.data[head.head] : 0;
  for (int64_t i = 0; i < length; ++i) {
    const float by_decay = head.decay[i] * memory.decay_sum[i];
    float d_step = memory.x_sum[i] + A * by_decay;
    if (p.dtSoftplus) d_step *= 1 / (1 + std::exp(-(head.raw_step(i) + bias)));
    sums.dA += double(head.step[i]) * double(by_decay);
    sums.dDtBias += double(d_step);
    if (p.dDt) p.dDt.data[head.sequence.token(i) * p.heads + head.head] = d_step;
  }
  return sums;
}

// The heads of a group add to the same dB and dC. They are dealt out to `shares` tasks; the first writes to the outputs,
// each other one to an array of its own, and these are added in order. `shares` depends on the shapes alone.
struct SharedGradient {
  Out<float> out;
  float* others;  // [shares - 1, out.size]
  SharedGradient(Out<float> out, int64_t shares, Scratch& scratch)
      : out(out), others(out ? scratch.take<float>((shares - 1) * out.size) : nullptr) {}
  float* share(int64_t index) const { return !out ? nullptr : index == 0 ? out.data : others + (index - 1) * out.size; }
  void finish(int64_t shares) const {
    if (!out) return;
    parallel_for(out.size, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t s = 1; s < shares; ++s) {
        float *to = out.data + begin, *from = others + (s - 1) * out.size + begin;
        for_lanes(end - begin,
                  [&](int64_t i, auto lanes) UAM_INLINE_LAMBDA { lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i)); });
      }
    });
  }
};

void ssd_bwd(const SsdBwd& p) {
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ was asked for, but there is no z");
  const int64_t sequences = p.offsets.sequences(), per_group = p.heads / p.groups, lots = sequences * p.groups;
  const int64_t wished = lots > 0 ? (15 + lots) / lots : 1, shares = wished < per_group ? wished : per_group > 1 ? per_group : 1;
  Scratch scratch;
  const SharedGradient dB(p.dB, shares, scratch), dC(p.dC, shares, scratch);
  HeadSums* sums = scratch.take<HeadSums>(sequences * p.heads);
  parallel_for(lots * shares, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t share = task % shares, group = task / shares % p.groups, s = task / shares / p.groups;
      for (float* out : {dB.share(share), dC.share(share)})
        for (int64_t t = p.offsets.at(s); out && t < p.offsets.at(s + 1); ++t)
          for (int64_t n = 0; n < p.state; ++n) out[(t * p.groups + group) * p.state + n] = 0;
      for (int64_t member = per_group * share / shares; member < per_group * (share + 1) / shares; ++member) {
        Scratch own;
        const Head head(p, s, group * per_group + member, own);
        sums[head.index] = backward_head(p, head, own, dB.share(share), dC.share(share));
      }
    }
  });
  dB.finish(shares);
  dC.finish(shares);
  for (int64_t head = 0; head < p.heads; ++head) {
    HeadSums total{};
    for (int64_t s = 0; s < sequences; ++s) {
      const HeadSums& one = sums[s * p.heads + head];
      total.dA += one.dA, total.dD += one.dD, total.dDtBias += one.dDtBias;
    }
    if (p.dA) p.dA.data[head] = float(total.dA);
    if (p.dD) p.dD.data[head] = float(total.dD);
    if (p.dDtBias) p.dDtBias.data[head] = float(total.dDtBias);
  }
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
static void check(const SsdFwd& p) {
  if (p.groups < 1 || p.heads % p.groups != 0) throw KernelError("UAM_SHAPE", "heads must be a multiple of groups");
}
void ssd_fwd(const SsdFwd& p) {
  check(p);
  UAM_BEST(ssd_fwd)(p);
}
void ssd_bwd(const SsdBwd& p) {
  check(p);
  UAM_BEST(ssd_bwd)(p);
}
}  // namespace uam::cpu
#endif
