// The backward scan. A block takes a share of the segments, for 32 channels, and each segment from its last chunk to its first.
// From the chunk's checkpoint it passes over the steps once and keeps the state before every eighth one; then it takes eight steps
// at a time, the last first: forward once more, with decays and states in registers, and back. With g[t] the gradient of h[t]:
//   g[t] = C[t] gy[t] + a[t+1] g[t+1],   dB[t] = sum_d g[t] dt[t] u[t],   dC[t] = sum_d gy[t] h[t]   (see native's loops for the rest)
// dB and dC are summed over the block's 32 channels, first by exchanges in each warp, and a block writes its part of them.
// Sums over time stay in registers for a whole share. Both kinds of parts are added afterwards, in order.
#pragma once
#include "selective_scan_steps.cuh"

namespace uam::cuda {

struct ScanGradients {
  int64_t tokens;
  const int32_t* shares;  // [shares + 1]: share i has the segments from shares[i] on
  const float *checkpoints, *dOut, *dLastState, *starts;
  float *dU, *dDelta, *dZ, *dH0;
  float *dB, *dC;                         // [tiles of a group][tokens, groups, state]
  float *dA, *dB_constant, *dC_constant;  // [shares][dim, state]; dA of heads [shares][dim]
  float *dD, *dDelta_bias;                // [shares][dim]
  const float* before;                    // [3][tokens, dim]: sums over the states of earlier slices, or null
  float* after;                           // the same for later ones; null for the last slice, which finishes
};

inline constexpr int kSub = 8, kSubs = kScanChunk / kSub;

template <int S, bool kHeads> struct alignas(16) BackwardShared {
  static constexpr int kStepRow = kScanChunk + 4;  // so that the rows of a warp's eight channels begin in different banks
  float dt[kTileChannels][kStepRow], du[kTileChannels][kStepRow], decay[kHeads ? kTileChannels : 1][kStepRow];
  float B[kScanChunk][S][kLanes * S], C[kScanChunk][S][kLanes * S];  // S permuted copies, see channel_sum
  float states[kSubs][kScanThreads][S];
  float pieces[2][kScanThreads / 32][kSub][32];
};

// Which state of a lane comes first: lanes that exchange with each other hold theirs in such an order that one always gives away the
// upper half of its numbers and keeps the lower one.
template <int S> __device__ __forceinline__ int permutation_of(int lane) {
  return S == 4 ? (lane >> 2 & 1) * 2 + (lane >> 3 & 1) : S == 2 ? lane >> 2 & 1 : 0;
}

// Sums over the eight channels of a warp (bits 2 to 4 of the lane). Every round halves what a lane holds, first along the states,
// then b or c. A lane is left with one sum: see `sum_place`.
template <int S> __device__ __forceinline__ float channel_sum(float (&b)[S], float (&c)[S], int lane) {
  int bits = 4;
#pragma unroll
  for (int half = S / 2; half > 0; half /= 2, bits *= 2) {
#pragma unroll
    for (int i = 0; i < half; ++i) {
      b[i] += __shfl_xor_sync(kWholeWarp, b[i + half], bits);
      c[i] += __shfl_xor_sync(kWholeWarp, c[i + half], bits);
    }
  }
  const bool upper = lane & bits;
  float sum = (upper ? c[0] : b[0]) + __shfl_xor_sync(kWholeWarp, upper ? b[0] : c[0], bits);
#pragma unroll
  for (bits *= 2; bits < 32; bits *= 2) sum += __shfl_xor_sync(kWholeWarp, sum, bits);
  return sum;
}
struct SumPlace {
  int n;
  bool of_c, spare;  // spare: another lane has the same sum
};
template <int S> __device__ __forceinline__ SumPlace sum_place(int lane) {
  return {lane % kLanes * S + permutation_of<S>(lane), (lane & 4 * S) != 0, lane >= 8 * S};
}

template <int S, bool kConstant, bool kGate, bool kHeads> __global__ void __launch_bounds__(kScanThreads, kConstant ? 2 : 3)
    selective_scan_bwd_kernel(ScanArrays p, ScanGradients o) {
  constexpr int kWidth = kLanes * S;
  auto& shared = *dynamic_shared<BackwardShared<S, kHeads>>();
  const ScanLane at(p, blockIdx.x % unsigned(p.tiles));
  const int64_t share = blockIdx.x / unsigned(p.tiles);
  const int permutation = permutation_of<S>(at.lane);
  const bool stage_B = !kConstant || !p.constant_B, stage_C = !kConstant || !p.constant_C, sums_channels = o.dB || o.dC;
  const bool gated = kGate && p.z;
  const float bias = p.delta_bias && at.active ? p.delta_bias[at.head] : 0.f, D = p.D && at.active ? p.D[at.head] : 0.f;
  const float *dt_row = shared.dt[at.slot], *du_row = shared.du[at.slot], *decay_row = shared.decay[kHeads ? at.slot : 0];

  float g[S], dA[kHeads ? 1 : S], fixed_B[S], fixed_C[S], dB_constant[S], dC_constant[S], dD = 0.f, dBias = 0.f;
  Rates<S, kHeads> rates;
  rates.load(p, at, permutation);
  if (kConstant) {
    load_states<S>(fixed_B, p, at, stage_B ? nullptr : p.B, permutation);
    load_states<S>(fixed_C, p, at, stage_C ? nullptr : p.C, permutation);
  }
#pragma unroll
  for (int i = 0; i < S; ++i) dA[kHeads ? 0 : i] = dB_constant[i] = dC_constant[i] = 0.f;
  const auto read_B = [&](float(&B)[S], int step) {
    read_row<S>(B, &shared.B[step][permutation][at.q * S]);
    if (kConstant && !stage_B) {
#pragma unroll
      for (int i = 0; i < S; ++i) B[i] = fixed_B[i];
    }
  };
  const auto read_C = [&](float(&C)[S], int step) {
    read_row<S>(C, &shared.C[step][permutation][at.q * S]);
    if (kConstant && !stage_C) {
#pragma unroll
      for (int i = 0; i < S; ++i) C[i] = fixed_C[i];
    }
  };

  for (int64_t index = o.shares[share]; index < o.shares[share + 1]; ++index) {
    const ScanSegment segment = segment_at(p, index);
    const int64_t matrix = segment.sequence * p.dim * p.state;
    if (o.starts) {
#pragma unroll
      for (int i = 0; i < S; ++i) g[i] = at.active ? o.starts[(index * p.dim + at.channel) * kWidth + at.q * S + (i ^ permutation)] : 0.f;
    } else {
      load_states<S>(g, p, at, o.dLastState ? o.dLastState + matrix : nullptr, permutation);
    }

    for (int chunk = ceil_div(segment.steps, int(kScanChunk)) - 1; chunk >= 0; --chunk) {
      const int first = chunk * int(kScanChunk), length = min(segment.steps - first, int(kScanChunk)), subs = (length + kSub - 1) / kSub;
      __syncthreads();  // the rows of the chunk before may still be read
      {
        Coefficients<S, int(kScanChunk)> coming_B, coming_C;
        if (stage_B) coming_B.load(p, segment, at, p.B, first);
        if (stage_C) coming_C.load(p, segment, at, p.C, first);
        if (stage_B) coming_B.store_permuted(&shared.B[0][0][0]);
        if (stage_C) coming_C.store_permuted(&shared.C[0][0][0]);
      }
#pragma unroll 4
      for (int k = at.q; k < subs * kSub; k += kLanes) {
        const bool there = at.active && k < length;
        const int64_t i = there ? segment.token(first + k) * p.dim + at.channel : 0;
        const float u = there ? p.u[i] : 0.f, raw = there ? p.delta[segment.token(first + k) * p.heads + at.head] + bias : 0.f;
        const float dt = step_of(p, raw, there);
        shared.dt[at.slot][k] = dt;
        shared.du[at.slot][k] = dt * u;
        if (kHeads) shared.decay[at.slot][k] = rates.own_decay(dt, there);
      }
      __syncthreads();

      float h[kSub + 1][S];
#pragma unroll
      for (int i = 0; i < S; ++i) {
        const int n = p.first_state + at.q * S + (i ^ permutation);
        h[0][i] = at.active && n < p.state ? o.checkpoints[((segment.chunk + chunk) * p.state + n) * p.dim + at.channel] : 0.f;
      }
      for (int sub = 0; sub + 1 < subs; ++sub) {
        write_row<S>(h[0], shared.states[sub][threadIdx.x]);
#pragma unroll
        for (int k = 0; k < kSub; k += 4) {
          float dt[4], du[4], own[4];
          read_row<4>(dt, &dt_row[sub * kSub + k]);
          read_row<4>(du, &du_row[sub * kSub + k]);
          if (kHeads) read_row<4>(own, &decay_row[sub * kSub + k]);
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            float B[S];
            read_B(B, sub * kSub + k + j);
#pragma unroll
            for (int i = 0; i < S; ++i) h[0][i] = fmaf(rates.decay(i, dt[j], own[j]), h[0][i], du[j] * B[i]);
          }
        }
      }
      write_row<S>(h[0], shared.states[subs - 1][threadIdx.x]);

      for (int sub = subs - 1; sub >= 0; --sub) {
        // What the lane's own steps need, asked for before the states are computed.
        float u[kSub / 4], delta[kSub / 4], z[kSub / 4], dy[kSub / 4];
#pragma unroll
        for (int group = 0; group < kSub / 4; ++group) {
          const int k = sub * kSub + group * 4 + at.q;
          const bool there = at.active && k < length;
          const int64_t i = there ? segment.token(first + k) * p.dim + at.channel : 0;
          u[group] = there ? p.u[i] : 0.f;
          delta[group] = there && p.softplus ? p.delta[segment.token(first + k) * p.heads + at.head] : 0.f;
          dy[group] = there && o.dOut ? o.dOut[i] : 0.f;
          z[group] = there && gated ? p.z[i] : 0.f;
        }
        float a[kSub][kHeads ? 1 : S];
        read_row<S>(h[0], shared.states[sub][threadIdx.x]);
#pragma unroll
        for (int k = 0; k < kSub; k += 4) {
          float dt[4], du[4], own[4];
          read_row<4>(dt, &dt_row[sub * kSub + k]);
          read_row<4>(du, &du_row[sub * kSub + k]);
          if (kHeads) read_row<4>(own, &decay_row[sub * kSub + k]);
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            float B[S];
            read_B(B, sub * kSub + k + j);
#pragma unroll
            for (int i = 0; i < S; ++i) {
              const float decay = a[k + j][kHeads ? 0 : i] = rates.decay(i, dt[j], own[j]);
              h[k + j + 1][i] = fmaf(decay, h[k + j][i], du[j] * B[i]);
            }
          }
        }

#pragma unroll
        for (int group = kSub / 4 - 1; group >= 0; --group) {
          const int base = sub * kSub + group * 4;
          float gate = 1.f, gate_slope = 0.f;
          if (gated) {
            const float s = sigmoid(z[group]);
            gate = z[group] * s;
            gate_slope = s * fmaf(z[group], 1.f - s, 1.f);
          }
          const float gy_own = gated ? dy[group] * gate : dy[group];
          float dt[4], du[4], gB[4], wA[4], y[4];
          read_row<4>(dt, &dt_row[base]);
          read_row<4>(du, &du_row[base]);
#pragma unroll
          for (int j = 3; j >= 0; --j) {
            const int k = group * 4 + j;
            const float gy = __shfl_sync(kWholeWarp, gy_own, j, 4);
            float B[S], C[S], to_B[S], to_C[S];
            read_B(B, base + j);
            read_C(C, base + j);
            gB[j] = wA[j] = y[j] = 0.f;
#pragma unroll
            for (int i = 0; i < S; ++i) {
              const float gradient = fmaf(C[i], gy, g[i]);
              gB[j] = fmaf(gradient, B[i], gB[j]);
              if (kGate) y[j] = fmaf(C[i], h[k + 1][i], y[j]);
              g[i] = gradient * a[k][kHeads ? 0 : i];
              const float w = g[i] * h[k][i];
              if constexpr (kHeads) {
                wA[j] += w;
              } else {
                dA[i] = fmaf(w, dt[j], dA[i]);
                wA[j] = fmaf(w, rates.values[i], wA[j]);
              }
              to_B[i] = gradient * du[j];
              to_C[i] = gy * h[k + 1][i];
              if (kConstant) dB_constant[i] += to_B[i], dC_constant[i] += to_C[i];
            }
            if (sums_channels) shared.pieces[sub & 1][at.warp][k][at.lane] = channel_sum<S>(to_B, to_C, at.lane);
          }
          float sum_gB = own_sum(gB, at.q), sum_wA = own_sum(wA, at.q), sum_y = kGate ? own_sum(y, at.q) : 0.f;
          if (at.active && base + at.q < length) {
            const int64_t i = segment.token(first + base + at.q) * p.dim + at.channel, all = o.tokens * p.dim;
            if (o.before) {
              sum_gB += o.before[i];
              sum_wA += o.before[all + i];
              if (kGate) sum_y += o.before[2 * all + i];
            }
            if (o.after) {
              o.after[i] = sum_gB;
              o.after[all + i] = sum_wA;
              if (kGate) o.after[2 * all + i] = sum_y;
            } else {
              const float slope = p.softplus ? sigmoid(delta[group] + bias) : 1.f;
              const float dt_own = dt_row[base + at.q], dDelta = fmaf(u[group], sum_gB, sum_wA * (kHeads ? rates.values[0] : kLn2)) * slope;
              if (kHeads) dA[0] = fmaf(sum_wA, dt_own, dA[0]);
              dD = fmaf(gy_own, u[group], dD);
              dBias += dDelta;
              if (o.dU) o.dU[i] = fmaf(D, gy_own, dt_own * sum_gB);
              if (o.dDelta) o.dDelta[i] = dDelta;
              if (gated && o.dZ) o.dZ[i] = dy[group] * gate_slope * fmaf(D, u[group], sum_y);
            }
          }
        }

        if (!sums_channels) continue;
        __syncthreads();
        for (int i = int(threadIdx.x); i < kSub * 32; i += kScanThreads) {
          const int k = i / 32, step = sub * kSub + k, n = p.first_state + sum_place<S>(i % 32).n;
          const SumPlace place = sum_place<S>(i % 32);
          float* to = place.of_c ? o.dC : o.dB;
          if (place.spare || !to || n >= p.state || step >= length) continue;
          const auto& pieces = shared.pieces[sub & 1];
          const int64_t row = (at.tile * o.tokens + segment.token(first + step)) * p.groups + at.group;
          to[row * p.state + n] = (pieces[0][k][i % 32] + pieces[1][k][i % 32]) + (pieces[2][k][i % 32] + pieces[3][k][i % 32]);
        }
      }
    }
    if (o.dH0 && segment.first) store_states<S>(g, p, at, o.dH0 + matrix, permutation);
  }

  const int64_t matrix = share * p.dim * p.state;
  if constexpr (kHeads) {
    dA[0] += __shfl_xor_sync(kWholeWarp, dA[0], 1);
    dA[0] += __shfl_xor_sync(kWholeWarp, dA[0], 2);
  } else {
    if (o.dA) store_states<S>(dA, p, at, o.dA + matrix, permutation);
  }
  if (kConstant && o.dB_constant) store_states<S>(dB_constant, p, at, o.dB_constant + matrix, permutation);
  if (kConstant && o.dC_constant) store_states<S>(dC_constant, p, at, o.dC_constant + matrix, permutation);
  dD += __shfl_xor_sync(kWholeWarp, dD, 1);
  dD += __shfl_xor_sync(kWholeWarp, dD, 2);
  dBias += __shfl_xor_sync(kWholeWarp, dBias, 1);
  dBias += __shfl_xor_sync(kWholeWarp, dBias, 2);
  if (o.after || !at.active || at.q != 0) return;
  if (kHeads && o.dA) o.dA[share * p.dim + at.channel] = dA[0];
  if (o.dD) o.dD[share * p.dim + at.channel] = dD;
  if (o.dDelta_bias) o.dDelta_bias[share * p.dim + at.channel] = dBias;
}

// Cuts the segments into shares of about as many steps, enough of them to fill a card. Share i has those from result[i] on.
inline std::vector<int32_t> shares_of(const Offsets& offsets, int64_t tokens, const ScanPlan& plan) {
  constexpr int64_t kBlocks = 1536;
  const int64_t count = std::clamp<int64_t>(kBlocks / std::max(plan.tiles, 1), 1, std::max<int64_t>(plan.segments, 1));
  std::vector<int32_t> shares{0};
  for (int64_t i = 0, share = 1; i < plan.segments; ++i) {
    const int64_t sequence = plan.cuts() ? plan.table[size_t(2 * i)] : i;
    const int64_t begin = offsets.at(sequence) + (plan.cuts() ? plan.table[size_t(2 * i + 1)] * plan.steps_each : 0);
    for (; share < count && begin >= ceil_div(tokens * share, count); ++share)
      if (int32_t(i) > shares.back()) shares.push_back(int32_t(i));
  }
  shares.push_back(int32_t(plan.segments));
  return shares;
}

// Room for parts that are added afterwards: the result itself where there is one part.
inline float* parts_of(Call& call, float* wanted, int64_t parts, int64_t size) {
  return !wanted || parts == 1 ? wanted : call.scratch<float>(parts * size);
}
inline void add_parts_of(Call& call, int64_t parts, int64_t size, const float* from, float* wanted) {
  if (from != wanted) add_parts(call, parts, size, from, wanted);
}

// All slices of the states. `constant`: B or C is constant in time.
template <bool kHeads> void scan_backward(Call& call, ScanArrays p, const ScanPlan& plan, bool constant, int64_t shares, ScanGradients o) {
  constexpr int kMost = 16;
  float* sums = p.state > kMost ? call.scratch<float>(3 * o.tokens * p.dim) : nullptr;
  for_state_slices<kMost>(p.state, [&]<int S>(int first, bool more) {
    if constexpr (S <= 4) {
      p.first_state = first;
      o.before = first > 0 ? sums : nullptr;
      o.after = more ? sums : nullptr;
      o.starts = scan_starts<S, true, kHeads>(call, p, plan, o.dOut, o.dLastState);
      const auto kernel = constant && !kHeads ? selective_scan_bwd_kernel<S, !kHeads, true, kHeads>
                          : p.z || kHeads     ? selective_scan_bwd_kernel<S, false, true, kHeads>
                                              : selective_scan_bwd_kernel<S, false, kHeads, kHeads>;
      call.launch({unsigned(scan_blocks(plan, shares)), kScanThreads, sizeof(BackwardShared<S, kHeads>)}, kernel, p, o);
    }
  });
}

}  // namespace uam::cuda
