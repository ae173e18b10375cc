// What the kernels of the scans share: selective_scan, and ssd, whose steps and rates are those of heads (`kHeads`): `per_head`
// channels in a row have the same. A block is 128 threads: 32 channels of one group, four lanes each, and a lane keeps S of the 4 S
// states of its channel in registers. What happens once per token and channel (softplus, gates) is dealt out to the four lanes: of
// every four steps a lane owns the one of its number. States that are too many for that pass in slices, one launch after the other.
#pragma once
#include <algorithm>

#include "kernels/selective_scan.h"
#include "partial_sums.cuh"

namespace uam::cuda {

inline constexpr int kScanThreads = 128, kTileChannels = 32, kLanes = 4;
inline constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147182f;

// 2^x by the special function unit (2 ulp); results below 2^-126 are zero.
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef UAM_CUDA_EMULATED
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), with e = e^-|x|, s = e / (2 + e) and log1p(e) = 2 atanh(s) = 2 (s + s^3 / 3 + ...)
__device__ __forceinline__ float softplus(float x) {
  const float e = fast_exp2(-fabsf(x) * kLog2e), s = __fdividef(e, e + 2.f), s2 = s * s;
  float p = 2.f / 13;
  p = fmaf(p, s2, 2.f / 11);
  p = fmaf(p, s2, 2.f / 9);
  p = fmaf(p, s2, 2.f / 7);
  p = fmaf(p, s2, 2.f / 5);
  p = fmaf(p, s2, 2.f / 3);
  p = fmaf(p, s2, 2.f);
  return fmaf(p, s, fmaxf(x, 0.f));
}

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.f, 1.f + fast_exp2(-x * kLog2e)); }
__device__ __forceinline__ float silu(float x) { return __fdividef(x, 1.f + fast_exp2(-x * kLog2e)); }

// The stretches of sequences that blocks scan: whole sequences, or pieces of them (`table` holds sequence and piece of each).
struct ScanSegments {
  int64_t count;
  const int32_t *offsets, *first_chunk, *table;
  int64_t steps_each;  // of a piece; a multiple of kScanChunk
};

struct ScanArrays {
  int64_t dim, groups, group_width, heads, per_head;  // heads = dim, of one channel each, where kHeads is not set
  int state, first_state, tiles_per_group, tiles;
  bool softplus, reverse, constant_B, constant_C;
  const float *u, *delta, *A, *B, *C, *D, *z, *delta_bias;  // delta: [tokens, heads]; D and delta_bias: [heads]
  ScanSegments segments;
};

// Steps [0, steps) in scan order; step i is the token origin + i * stride.
struct ScanSegment {
  int64_t index, sequence, origin, chunk;
  int stride, steps;
  bool first, last;  // of its sequence
  __device__ int64_t token(int64_t step) const { return origin + step * stride; }
};

__device__ inline ScanSegment segment_at(const ScanArrays& p, int64_t index) {
  const ScanSegments& all = p.segments;
  const int64_t sequence = all.table ? all.table[2 * index] : index, from = all.table ? all.table[2 * index + 1] * all.steps_each : 0;
  const int64_t begin = all.offsets[sequence], end = all.offsets[sequence + 1], left = end - begin - from;
  const bool last = !all.table || left <= all.steps_each;
  return {index,
          sequence,
          p.reverse ? end - 1 - from : begin + from,
          all.first_chunk[sequence] + from / kScanChunk,
          p.reverse ? -1 : 1,
          int(last ? left : all.steps_each),
          from == 0,
          last};
}

// The same steps from the last to the first.
__device__ inline ScanSegment backwards(ScanSegment segment) {
  segment.origin = segment.token(segment.steps - 1);
  segment.stride = -segment.stride;
  return segment;
}

// A thread's place in its block.
struct ScanLane {
  int warp, lane, q, slot;  // lane q of the channel in place `slot` of the tile
  int64_t group, tile, channel, head;
  bool active;  // the last tile of a group may have channels to spare: they scan zeros
  __device__ ScanLane(const ScanArrays& p, int64_t tile_index)
      : warp(int(threadIdx.x) / 32), lane(int(threadIdx.x) % 32), q(lane % kLanes), slot(int(threadIdx.x) / kLanes) {
    group = tile_index / p.tiles_per_group;
    tile = tile_index % p.tiles_per_group;
    const int64_t within = tile * kTileChannels + slot;
    channel = group * p.group_width + within;
    head = channel / p.per_head;
    active = within < p.group_width;
  }
};

// Row `channel` of a matrix [dim, state]: the states of this lane. State n of the lane lies in element n ^ permutation.
template <int S> __device__ __forceinline__ void load_states(float (&to)[S], const ScanArrays& p, const ScanLane& at, const float* matrix,
                                                             int permutation = 0) {
#pragma unroll
  for (int i = 0; i < S; ++i) {
    const int n = p.first_state + at.q * S + (i ^ permutation);
    to[i] = matrix && at.active && n < p.state ? matrix[at.channel * p.state + n] : 0.f;
  }
}
template <int S> __device__ __forceinline__ void store_states(const float (&from)[S], const ScanArrays& p, const ScanLane& at,
                                                              float* matrix, int permutation = 0) {
#pragma unroll
  for (int i = 0; i < S; ++i) {
    const int n = p.first_state + at.q * S + (i ^ permutation);
    if (at.active && n < p.state) matrix[at.channel * p.state + n] = from[i];
  }
}

// exp(dt A) for the states of a lane. Of channels it is 2^(dt A'), A' = A log2(e), finite so that a step of zero decays nothing
// whatever A is. Of heads it is one number for all states: its owner computes it, exactly, and the others are told.
template <int S, bool kHeads> struct Rates {
  float values[kHeads ? 1 : S];
  __device__ __forceinline__ void load(const ScanArrays& p, const ScanLane& at, int permutation = 0) {
    if constexpr (kHeads) {
      values[0] = at.active ? p.A[at.head] : 0.f;
    } else {
      load_states<S>(values, p, at, p.A, permutation);
#pragma unroll
      for (int i = 0; i < S; ++i) {
        const float rate = values[i] * kLog2e;
        values[i] = rate > 1e30f ? 1e30f : rate < -1e30f ? -1e30f : rate;
      }
    }
  }
  // By the owner of a step. Steps that are not there decay nothing.
  __device__ __forceinline__ float own_decay(float dt, bool there) const { return kHeads && there ? expf(dt * values[0]) : 1.f; }
  // Of state i: by a step, whose own decay is known where there are heads.
  __device__ __forceinline__ float decay(int i, float dt, float own) const {
    if constexpr (kHeads) return own;
    else return fast_exp2(dt * values[i]);
  }
};

// One lane's number for all four lanes of its channel.
__device__ __forceinline__ float from_owner(float value, int owner) { return __shfl_sync(kWholeWarp, value, owner, kLanes); }

// A lane's own step, where it is there.
__device__ __forceinline__ float step_of(const ScanArrays& p, float raw, bool there) {
  return !there ? 0.f : p.softplus ? softplus(raw) : raw;
}

// S neighbouring floats of shared memory, aligned to as many floats, or to four.
template <int S> __device__ __forceinline__ void read_row(float (&to)[S], const float* from) {
  if constexpr (S >= 4) {
#pragma unroll
    for (int i = 0; i < S; i += 4) {
      const float4 v = *reinterpret_cast<const float4*>(from + i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    }
  } else if constexpr (S == 2) {
    const float2 v = *reinterpret_cast<const float2*>(from);
    to[0] = v.x, to[1] = v.y;
  } else {
    to[0] = from[0];
  }
}
template <int S> __device__ __forceinline__ void write_row(const float (&from)[S], float* to) {
  if constexpr (S == 4) *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
  else if constexpr (S == 2) *reinterpret_cast<float2*>(to) = make_float2(from[0], from[1]);
  else to[0] = from[0];
}

// Four numbers of each of a channel's four lanes: lane q gets the sum of everyone's values[q].
__device__ __forceinline__ float own_sum(const float (&values)[4], int q) {
  const bool odd = q & 1, upper = q & 2;
  const float first = (odd ? values[1] : values[0]) + __shfl_xor_sync(kWholeWarp, odd ? values[0] : values[1], 1);
  const float second = (odd ? values[3] : values[2]) + __shfl_xor_sync(kWholeWarp, odd ? values[2] : values[3], 1);
  return (upper ? second : first) + __shfl_xor_sync(kWholeWarp, upper ? first : second, 2);
}

// Steps [first, first + kSteps) of B or C, [tokens, groups, state], on their way to shared memory rows of 4 S floats.
template <int S, int kSteps> struct Coefficients {
  static constexpr int kWidth = kLanes * S, kEach = (kSteps * kWidth + kScanThreads - 1) / kScanThreads;
  float values[kEach];

  // Zero for steps and states that are not there.
  __device__ __forceinline__ void load(const ScanArrays& p, const ScanSegment& segment, const ScanLane& at, const float* matrix,
                                       int first) {
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const int i = int(threadIdx.x) + k * kScanThreads, n = p.first_state + i % kWidth, step = first + i / kWidth;
      const bool there = i < kSteps * kWidth && n < p.state && step < segment.steps;
      values[k] = there ? matrix[(segment.token(step) * p.groups + at.group) * p.state + n] : 0.f;
    }
  }
  __device__ __forceinline__ void store(float* rows) const {
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const int i = int(threadIdx.x) + k * kScanThreads;
      if (i < kSteps * kWidth) rows[i] = values[k];
    }
  }
  // `S` copies of every row, side by side; in copy c state n of every lane lies in place n ^ c.
  __device__ __forceinline__ void store_permuted(float* rows) const {
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const int i = int(threadIdx.x) + k * kScanThreads, step = i / kWidth, n = i % kWidth;
      if (i >= kSteps * kWidth) continue;
#pragma unroll
      for (int c = 0; c < S; ++c) rows[(step * S + c) * kWidth + (n ^ c)] = values[k];
    }
  }
};

// ---- the host's side ----

struct ScanPlan {
  std::vector<int32_t> first_chunk, table;  // table: see ScanSegments; empty where nothing is cut
  int64_t segments, steps_each, chunks = 0;
  int tiles_per_group, tiles;

  // A sequence is cut only where its blocks would work on long after all others have ended, as the pieces must be scanned twice.
  // The cuts follow from the shapes alone, so the bits of a result do, too.
  ScanPlan(const Offsets& offsets, int64_t dim, int64_t groups)
      : first_chunk(size_t(offsets.sequences()) + 1),
        segments(offsets.sequences()),
        tiles_per_group(int(ceil_div<int64_t>(dim / groups, kTileChannels))),
        tiles(int(tiles_per_group * groups)) {
    constexpr int64_t kBlocks = 512, kShortest = 4, kWorthwhile = 3;
    int64_t longest = 0;
    for (int64_t s = 0; s < segments; ++s) {
      first_chunk[size_t(s)] = int32_t(chunks);
      const int64_t own = scan_chunks_of(offsets.length(s));
      chunks += own;
      longest = std::max(longest, own);
    }
    const int64_t each = std::max(kShortest, ceil_div(chunks * tiles, kBlocks));
    steps_each = each * kScanChunk;
    if (longest <= kWorthwhile * each) return;
    for (int64_t s = 0; s < offsets.sequences(); ++s)
      for (int64_t piece = 0; piece == 0 || piece * steps_each < offsets.length(s); ++piece)
        table.push_back(int32_t(s)), table.push_back(int32_t(piece));
    segments = int64_t(table.size()) / 2;
  }
  bool cuts() const { return !table.empty(); }
};

inline ScanSegments scan_segments(Call& call, const Offsets& offsets, const ScanPlan& plan) {
  return {plan.segments, call.upload(offsets), call.upload(plan.first_chunk), plan.cuts() ? call.upload(plan.table) : nullptr,
          plan.steps_each};
}

inline ScanArrays scan_arrays(Call& call, const SelectiveScanInputs& p, const ScanPlan& plan) {
  return {p.dim,
          p.groups,
          p.dim / p.groups,
          p.dim,
          1,
          int(p.state),
          0,
          plan.tiles_per_group,
          plan.tiles,
          p.delta_softplus,
          p.reverse,
          p.constant_B,
          p.constant_C,
          call.in(p.u),
          call.in(p.delta),
          call.in(p.A),
          call.in(p.B),
          call.in(p.C),
          call.in(p.D),
          call.in(p.z),
          call.in(p.delta_bias),
          scan_segments(call, p.offsets, plan)};
}

inline int64_t scan_blocks(const ScanPlan& plan, int64_t rows) {
  const int64_t blocks = rows * plan.tiles;
  if (blocks > 0x7fffffff) throw KernelError("UAM_ARGUMENT", "more sequences times channels than a card can count");
  return blocks;
}

// visit.operator()<S>(first state, whether more follow): slices of `most` states, or of as many as there are.
template <int kMost, class Visit> void for_state_slices(int64_t state, Visit&& visit) {
  for (int64_t first = 0; first < state || first == 0; first += kMost) {
    const bool more = first + kMost < state;
    if (kMost > 32 && state > 32) visit.template operator()<16>(int(first), more);
    else if (kMost > 16 && state > 16) visit.template operator()<8>(int(first), more);
    else if (state > 8) visit.template operator()<4>(int(first), more);
    else if (state > 4) visit.template operator()<2>(int(first), more);
    else visit.template operator()<1>(int(first), more);
  }
}

// ---- sequences in pieces ----

// What a piece makes of a state of zeros, ends[segment][dim][4 S], and the sum of its steps, sums[segment][dim]: with them a state
// passes a piece in one step, as the product of its decays is the decay of the sum. Backwards it is the gradient that passes.
template <int S, bool kBackwards, bool kHeads> __global__ void __launch_bounds__(kScanThreads, S > 8 ? 2 : 4)
    scan_piece_kernel(ScanArrays p, const float* dOut, float* ends, float* sums) {
  constexpr int kSteps = 16, kWidth = kLanes * S;
  UAM_SHARED(float, rows, [2][kSteps * kWidth]);
  const ScanLane at(p, blockIdx.x % unsigned(p.tiles));
  const ScanSegment forwards = segment_at(p, blockIdx.x / unsigned(p.tiles));
  if (kBackwards ? forwards.first : forwards.last) return;  // nothing follows
  const ScanSegment segment = kBackwards ? backwards(forwards) : forwards;
  const bool constant = kBackwards ? p.constant_C : p.constant_B;
  const float* matrix = kBackwards ? p.C : p.B;
  const float bias = p.delta_bias && at.active ? p.delta_bias[at.head] : 0.f;
  float h[S], fixed[S], total = 0.f;
  Rates<S, kHeads> rates;
  rates.load(p, at);
  load_states<S>(fixed, p, at, constant ? matrix : nullptr);
#pragma unroll
  for (int i = 0; i < S; ++i) h[i] = 0.f;

  Coefficients<S, kSteps> coming;
  if (!constant) coming.load(p, segment, at, matrix, 0), coming.store(rows[0]);
  __syncthreads();
  for (int first = 0, buffer = 0; first < segment.steps; first += kSteps, buffer ^= 1) {
    float dt[kSteps / 4], x[kSteps / 4], own[kSteps / 4];
#pragma unroll
    for (int g = 0; g < kSteps / 4; ++g) {
      const int step = first + g * 4 + at.q;
      const bool there = at.active && step < segment.steps;
      const int64_t i = segment.token(step) * p.dim + at.channel;
      dt[g] = step_of(p, there ? p.delta[segment.token(step) * p.heads + at.head] + bias : 0.f, there);
      own[g] = rates.own_decay(dt[g], there);
      if (kBackwards) {
        x[g] = there && dOut ? dOut[i] : 0.f;
        if (p.z && there) x[g] *= silu(p.z[i]);
      } else {
        x[g] = there ? dt[g] * p.u[i] : 0.f;
      }
      total += dt[g];
    }
    const bool more = first + kSteps < segment.steps;
    if (!constant && more) coming.load(p, segment, at, matrix, first + kSteps);
#pragma unroll
    for (int g = 0; g < kSteps / 4; ++g) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float step = kHeads ? 0.f : from_owner(dt[g], j), own_decay = kHeads ? from_owner(own[g], j) : 1.f,
                    input = from_owner(x[g], j);
        float row[S];
        if (constant) {
#pragma unroll
          for (int i = 0; i < S; ++i) row[i] = fixed[i];
        } else {
          read_row<S>(row, &rows[buffer][(g * 4 + j) * kWidth + at.q * S]);
        }
#pragma unroll
        for (int i = 0; i < S; ++i) {
          const float decay = rates.decay(i, step, own_decay);
          h[i] = kBackwards ? decay * fmaf(input, row[i], h[i]) : fmaf(decay, h[i], input * row[i]);
        }
      }
    }
    if (!constant && more) coming.store(rows[buffer ^ 1]);
    __syncthreads();
  }
  total += __shfl_xor_sync(kWholeWarp, total, 1);
  total += __shfl_xor_sync(kWholeWarp, total, 2);
  if (!at.active) return;
  const int64_t row = segment.index * p.dim + at.channel;
#pragma unroll
  for (int i = 0; i < S; ++i) ends[row * kWidth + at.q * S + i] = h[i];
  if (at.q == 0) sums[row] = total;
}

// Replaces ends[segment] by the state that the segment starts from, one piece after the other. `before` is the state at the very
// start (h0, or dLastState), [sequences, dim, state], or null.
template <bool kHeads>
__global__ void scan_carry_kernel(ScanArrays p, int width, bool backward, const float* before, const float* sums, float* ends) {
  const int32_t* table = p.segments.table;
  const int64_t per_segment = p.dim * width;
  for (int64_t i = first_element(); i < p.segments.count * per_segment; i += element_step()) {
    const int64_t head = i / per_segment, channel = i % per_segment / width, n = p.first_state + i % width;
    if (table[2 * head + 1] != 0) continue;
    const int64_t sequence = table[2 * head];
    int64_t end = head + 1;
    while (end < p.segments.count && table[2 * end] == sequence) ++end;
    const bool there = n < p.state;
    const float A = !there ? 0.f : kHeads ? p.A[channel / p.per_head] : p.A[channel * p.state + n], scaled = A * kLog2e;
    const float rate = scaled > 1e30f ? 1e30f : scaled < -1e30f ? -1e30f : scaled;
    float h = before && there ? before[(sequence * p.dim + channel) * p.state + n] : 0.f;
    const int64_t pieces = end - head;
    for (int64_t k = 0; k < pieces; ++k) {
      const int64_t segment = backward ? end - 1 - k : head + k, at = (segment * p.dim + channel) * width + i % width;
      const float own = ends[at];
      ends[at] = h;
      if (k + 1 == pieces) break;
      const float total = sums[segment * p.dim + channel];
      h = fmaf(kHeads ? expf(total * A) : fast_exp2(total * rate), h, own);
    }
  }
}

// The state that every segment starts from, [segments, dim, 4 S], for the slice that p.first_state names; null where nothing is cut.
template <int S, bool kBackwards, bool kHeads>
const float* scan_starts(Call& call, const ScanArrays& p, const ScanPlan& plan, const float* dOut, const float* before) {
  if (!plan.cuts()) return nullptr;
  constexpr int kWidth = kLanes * S;
  float *ends = call.scratch<float>(plan.segments * p.dim * kWidth), *sums = call.scratch<float>(plan.segments * p.dim);
  call.launch({unsigned(scan_blocks(plan, plan.segments)), kScanThreads}, scan_piece_kernel<S, kBackwards, kHeads>, p, dOut, ends, sums);
  call.launch_elements(plan.segments * p.dim * kWidth, scan_carry_kernel<kHeads>, p, kWidth, kBackwards, before, sums, ends);
  return ends;
}

}  // namespace uam::cuda
