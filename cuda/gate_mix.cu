#include "kernels/gate_mix.h"

#include "strided.cuh"

namespace uam::cuda {

// Groups are cut into quads of neighbouring columns with one gate. Groups of a single column are taken four at a time, as one group
// of four columns that has a gate for each.
template <bool kAligned, bool kPerColumn>
__device__ __forceinline__ Quad gates_of(const float* gate, int64_t group, int64_t at, int64_t count) {
  if (kPerColumn) return load_quad<kAligned>(gate + at, count);
  const float g = gate[group];
  return {{g, g, g, g}};
}

// n = groups * width elements, but for the columns that the last group of four may lack. A thread has a quad.
template <bool kAligned, bool kPerColumn> __global__ void gate_mix_fwd_kernel(int64_t n, int64_t quads, int64_t width,
                                                                              Divisor quads_of_group, const float* gate, const float* a,
                                                                              const float* b, float* y) {
  for (int64_t q = first_element(); q < quads; q += element_step()) {
    const int64_t group = quads_of_group.quotient(q), column = (q - group * quads_of_group.divisor()) * 4, at = group * width + column;
    const int64_t count = min(width - column, n - at);
    const Quad g = gates_of<kAligned, kPerColumn>(gate, group, at, count);
    const Quad left = load_quad<kAligned>(a + at, count), right = load_quad<kAligned>(b + at, count);
    Quad mixed;
#pragma unroll
    for (int k = 0; k < 4; ++k) mixed.v[k] = g.v[k] * left.v[k] + (1.f - g.v[k]) * right.v[k];
    store_quad<kAligned>(y + at, mixed, count);
  }
}

// The lanes of a group (a power of two, at most a warp) take its quads in turn, and sum what goes to the gate among them.
template <bool kAligned, bool kPerColumn> __global__ void gate_mix_bwd_kernel(int64_t n, int64_t groups, int64_t width, int lanes,
                                                                              const float* gate, const float* a, const float* b,
                                                                              const float* dy, float* d_gate, float* d_a, float* d_b) {
  const int lane = int(threadIdx.x) & (lanes - 1), group_in_warp = int(threadIdx.x & 31u) / lanes;
  // The first group of the warp: its threads go round together, for they exchange sums.
  for (int64_t first = (first_element() & ~int64_t(31)) / lanes; first < groups; first += element_step() / lanes) {
    const int64_t group = first + group_in_warp;
    float total = 0.f;
    for (int64_t column = group < groups ? lane * 4 : width; column < width; column += lanes * 4) {
      const int64_t at = group * width + column, count = min(width - column, n - at);
      const Quad g = gates_of<kAligned, kPerColumn>(gate, group, at, count), slope = load_quad<kAligned>(dy + at, count);
      Quad out;
      if (d_a) {
#pragma unroll
        for (int k = 0; k < 4; ++k) out.v[k] = g.v[k] * slope.v[k];
        store_quad<kAligned>(d_a + at, out, count);
      }
      if (d_b) {
#pragma unroll
        for (int k = 0; k < 4; ++k) out.v[k] = (1.f - g.v[k]) * slope.v[k];
        store_quad<kAligned>(d_b + at, out, count);
      }
      if (!d_gate) continue;
      const Quad left = load_quad<kAligned>(a + at, count), right = load_quad<kAligned>(b + at, count);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        out.v[k] = slope.v[k] * (left.v[k] - right.v[k]);
        if (k < count) total += out.v[k];
      }
      if (kPerColumn) store_quad<kAligned>(d_gate + at, out, count);
    }
    if constexpr (!kPerColumn) {
      for (int bits = lanes / 2; bits > 0; bits /= 2) total += __shfl_xor_sync(kWholeWarp, total, bits);
      if (d_gate && group < groups && lane == 0) d_gate[group] = total;
    }
  }
}

namespace {

struct Grouping {
  bool per_column;
  int64_t n, groups, width, quads;
  Grouping(int64_t given_groups, int64_t given_width)
      : per_column(given_width == 1),
        n(given_groups * given_width),
        groups(per_column ? quads_of(n) : given_groups),
        width(per_column ? 4 : given_width),
        quads(groups * quads_of(width)) {}
};

template <class F> void with_forms(bool aligned, bool per_column, F&& f) {
  if (per_column) aligned ? f(std::true_type(), std::true_type()) : f(std::false_type(), std::true_type());
  else aligned ? f(std::true_type(), std::false_type()) : f(std::false_type(), std::false_type());
}

}  // namespace

void gate_mix_fwd(const GateMixFwd& p) {
  const Grouping g(p.rows * p.groups, p.width);
  if (g.n == 0) return;
  Call call;
  const float *gate = call.in(p.gate), *a = call.in(p.a), *b = call.in(p.b);
  float* y = call.out(p.y);
  const bool aligned = on_16_bytes(a, b, y) && g.width % 4 == 0 && (!g.per_column || on_16_bytes(gate));
  with_forms(aligned, g.per_column, [&](auto kAligned, auto kPerColumn) {
    call.launch_elements(g.quads, gate_mix_fwd_kernel<kAligned, kPerColumn>, g.n, g.quads, g.width, Divisor(quads_of(g.width), g.quads),
                         gate, a, b, y);
  });
  call.finish();
}

void gate_mix_bwd(const GateMixBwd& p) {
  const Grouping g(p.rows * p.groups, p.width);
  Call call;
  const float *gate = call.in(p.gate), *a = call.in(p.a), *b = call.in(p.b), *dy = call.in(p.dy);
  float *d_gate = call.out(p.d_gate), *d_a = call.out(p.d_a), *d_b = call.out(p.d_b);
  int lanes = 1;
  while (lanes < 32 && lanes * 4 < g.width) lanes *= 2;
  const bool aligned = on_16_bytes(a, b, dy, d_a, d_b) && g.width % 4 == 0 && (!g.per_column || on_16_bytes(gate, d_gate));
  with_forms(aligned, g.per_column, [&](auto kAligned, auto kPerColumn) {
    call.launch_elements(g.groups * lanes, gate_mix_bwd_kernel<kAligned, kPerColumn>, g.n, g.groups, g.width, lanes, gate, a, b, dy, d_gate,
                         d_a, d_b);
  });
  call.finish();
}

}  // namespace uam::cuda
