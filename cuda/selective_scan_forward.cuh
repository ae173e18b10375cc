// The forward scan. The rows of B and C that a block reads pass through shared memory, 16 steps at a time and in two buffers; what
// a channel reads once (u, delta, z) comes straight to the lane that owns the step, one tile ahead.
#pragma once
#include "selective_scan_steps.cuh"

namespace uam::cuda {

struct ScanOutputs {
  const float *h0, *starts;  // the state before the first step: [sequences, dim, state], or per segment (see scan_starts)
  float *out, *last_state, *checkpoints;
  const float* before;  // sums over the states of earlier slices, [tokens, dim], or null
  float* after;         // the same for later ones; null for the last slice, which finishes
};

template <int S, bool kConstant, bool kHeads> __global__ void __launch_bounds__(kScanThreads, S > 8    ? 2
                                                                                              : S > 4  ? 3
                                                                                              : S == 4 ? 4
                                                                                                       : 6)
    selective_scan_fwd_kernel(ScanArrays p, ScanOutputs o) {
  constexpr int kSteps = 16, kGroups = kSteps / 4, kWidth = kLanes * S;
  UAM_SHARED(float, rows_B, [2][kSteps * kWidth]);
  UAM_SHARED(float, rows_C, [2][kSteps * kWidth]);
  const ScanLane at(p, blockIdx.x % unsigned(p.tiles));
  const ScanSegment segment = segment_at(p, blockIdx.x / unsigned(p.tiles));
  const bool stage_B = !kConstant || !p.constant_B, stage_C = !kConstant || !p.constant_C;
  const float bias = p.delta_bias && at.active ? p.delta_bias[at.head] : 0.f, D = p.D && at.active ? p.D[at.head] : 0.f;

  float h[S], fixed_B[S], fixed_C[S];
  Rates<S, kHeads> rates;
  rates.load(p, at);
  if (kConstant) load_states<S>(fixed_B, p, at, stage_B ? nullptr : p.B), load_states<S>(fixed_C, p, at, stage_C ? nullptr : p.C);
  if (o.starts) {
#pragma unroll
    for (int i = 0; i < S; ++i) h[i] = at.active ? o.starts[(segment.index * p.dim + at.channel) * kWidth + at.q * S + i] : 0.f;
  } else {
    load_states<S>(h, p, at, o.h0 ? o.h0 + segment.sequence * p.dim * p.state : nullptr);
  }

  Coefficients<S, kSteps> coming_B, coming_C;
  float u_coming[kGroups], delta_coming[kGroups], z_coming[kGroups];
  const auto fetch = [&](int first) {
    if (stage_B) coming_B.load(p, segment, at, p.B, first);
    if (stage_C) coming_C.load(p, segment, at, p.C, first);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      const int step = first + g * 4 + at.q;
      const bool there = at.active && step < segment.steps;
      const int64_t i = there ? segment.token(step) * p.dim + at.channel : 0;
      u_coming[g] = there ? p.u[i] : 0.f;
      delta_coming[g] = there ? p.delta[segment.token(step) * p.heads + at.head] : 0.f;
      z_coming[g] = there && p.z ? p.z[i] : 0.f;
    }
  };
  const auto stage = [&](int buffer) {
    if (stage_B) coming_B.store(rows_B[buffer]);
    if (stage_C) coming_C.store(rows_C[buffer]);
  };
  fetch(0);
  stage(0);
  __syncthreads();

  for (int first = 0, buffer = 0; first < segment.steps; first += kSteps, buffer ^= 1) {
    float u[kGroups], delta[kGroups], z[kGroups];
#pragma unroll
    for (int g = 0; g < kGroups; ++g) u[g] = u_coming[g], delta[g] = delta_coming[g], z[g] = z_coming[g];
    const bool more = first + kSteps < segment.steps;
    if (more) fetch(first + kSteps);
    if (o.checkpoints && first % kScanChunk == 0) {
#pragma unroll
      for (int i = 0; i < S; ++i) {
        const int n = p.first_state + at.q * S + i;
        if (at.active && n < p.state) o.checkpoints[((segment.chunk + first / kScanChunk) * p.state + n) * p.dim + at.channel] = h[i];
      }
    }
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      if (first + g * 4 >= segment.steps) break;
      const int step = first + g * 4 + at.q;
      const bool there = at.active && step < segment.steps;
      const float dt = step_of(p, delta[g] + bias, there), du = dt * u[g], own = rates.own_decay(dt, there);
      float y[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float step_j = kHeads ? 0.f : from_owner(dt, j), decay = kHeads ? from_owner(own, j) : 1.f, input = from_owner(du, j);
        float B[S], C[S];
        const int row = (g * 4 + j) * kWidth + at.q * S;
        read_row<S>(B, &rows_B[buffer][row]);
        read_row<S>(C, &rows_C[buffer][row]);
        if (kConstant) {
#pragma unroll
          for (int i = 0; i < S; ++i) B[i] = stage_B ? B[i] : fixed_B[i], C[i] = stage_C ? C[i] : fixed_C[i];
        }
        y[j] = 0.f;
#pragma unroll
        for (int i = 0; i < S; ++i) {
          h[i] = fmaf(rates.decay(i, step_j, decay), h[i], input * B[i]);
          y[j] = fmaf(h[i], C[i], y[j]);
        }
      }
      float sum = own_sum(y, at.q);
      if (!there) continue;
      const int64_t i = segment.token(step) * p.dim + at.channel;
      if (o.before) sum += o.before[i];
      if (o.after) {
        o.after[i] = sum;
        continue;
      }
      const float value = fmaf(D, u[g], sum);
      if (o.out) o.out[i] = p.z ? value * silu(z[g]) : value;
    }
    if (more) stage(buffer ^ 1);
    __syncthreads();
  }
  if (o.last_state && segment.last) store_states<S>(h, p, at, o.last_state + segment.sequence * p.dim * p.state);
}

// All slices of the states. `constant`: B or C is constant in time.
template <bool kHeads> void scan_forward(Call& call, ScanArrays p, const ScanPlan& plan, bool constant, int64_t tokens, ScanOutputs o) {
  constexpr int kMost = 64;
  float* sums = p.state > kMost ? call.scratch<float>(tokens * p.dim) : nullptr;
  for_state_slices<kMost>(p.state, [&]<int S>(int first, bool more) {
    p.first_state = first;
    o.before = first > 0 ? sums : nullptr;
    o.after = more ? sums : nullptr;
    o.starts = scan_starts<S, false, kHeads>(call, p, plan, nullptr, o.h0);
    const auto kernel = constant && !kHeads ? selective_scan_fwd_kernel<S, !kHeads, kHeads> : selective_scan_fwd_kernel<S, false, kHeads>;
    call.launch({unsigned(scan_blocks(plan, plan.segments)), kScanThreads}, kernel, p, o);
  });
}

}  // namespace uam::cuda
