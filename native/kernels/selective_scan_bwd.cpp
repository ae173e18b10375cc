#include "kernels/selective_scan.h"
#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/selective_scan_bwd.cpp"
#include "simd.h"

#include "kernels/selective_scan_steps.inc.h"

// The backward scan. Chunks are taken from the last to the first; for each tile the states of the chunk are computed again
// from its checkpoint, and then, with g[t] the gradient of h[t] and a[t] = exp(dt[t] A),
//   g[t]  = C[t] gy[t] + a[t+1] g[t+1]           gy = dOut silu(z), the gradient of y
//   dC[t] = sum_d gy[t] h[t]                     dB[t] = sum_d g[t] dt[t] u[t]
//   dA    = sum_t w[t] dt[t]                     w[t] = a[t] g[t] h[t-1]
//   du[t] = D gy[t] + dt[t] sum_n g[t] B[t]      d dt[t] = sum_n w[t] A + u[t] sum_n g[t] B[t]
//   dD    = sum_t gy[t] u[t]                     dh0 = a[0] g[0]
// Sums over channels collect in lanes, [step][state][W], and are folded once per chunk. Sums over time collect per block of
// work and are added over the blocks in order, so nothing depends on the number of threads.
namespace uam::cpu::UAM_ISA {
namespace scan {

// Eight states keep their gradient and their dA in registers, and a chunk of them stays in the nearest cache.
#if UAM_ISA_LEVEL == 2
inline constexpr int kGradientsAtOnce = 8;
#else
inline constexpr int kGradientsAtOnce = 4;
#endif

// Some states of one tile over one chunk.
struct Retreat {
  int64_t length;
  const float *dt, *du, *gy;  // [step][W]: dt, dt u, the gradient of y
  float *y, *gB, *wA;         // [step][W]: sums over states of C h, g B and w A log2(e), added
  const float* A;             // [state][W]: A log2(e)
  Coefficients B, C;
  const float* h0;  // [state] rows of `h0_stride`: the checkpoint
  int64_t h0_stride;
  int lanes;
  float* g;        // [state][W]: a g of the step after the chunk; then that of its first step
  float* dA;       // [state][W], added
  float *dB, *dC;  // [step or 1][state][W] by `dB_stride`, `dC_stride`, added
  int64_t dB_stride, dC_stride;
  float *h, *a;  // [1 + step][states at once][W], [step][states at once][W]: working memory
  Ahead* ahead;  // null after the first states
  Retreat from(int64_t n) const {
    Retreat rest = *this;
    rest.A += n * W, rest.B.row += n * B.per_state, rest.C.row += n * C.per_state, rest.h0 += n * h0_stride;
    if (n > 0) rest.ahead = nullptr;
    rest.g += n * W, rest.dA += n * W, rest.dB += n * W, rest.dC += n * W;
    return rest;
  }
};

// The states of the chunk, h[0] being the checkpoint, and their decays.
template <int kStates, bool kConstantB> void recompute(const Retreat& s) {
  vf h[kStates];
  for (int n = 0; n < kStates; ++n) store(s.h + n * W, h[n] = load_lanes(s.h0 + n * s.h0_stride, s.lanes));
  const float* B = s.B.row;
  for (int64_t t = 0; t < s.length; ++t, B += s.B.stride) {
    const vf dt = load(s.dt + t * W), du = load(s.du + t * W);
    if (s.ahead) s.ahead->fetch(t);
    float *h_row = s.h + (t + 1) * kStates * W, *a_row = s.a + t * kStates * W;
#pragma GCC unroll 8
    for (int n = 0; n < kStates; ++n) {
      const vf a = decay(dt * load(s.A + n * W));
      h[n] = fma(a, h[n], du * coefficient<kConstantB>(B, n));
      store(a_row + n * W, a);
      store(h_row + n * W, h[n]);
    }
  }
}

template <int kStates, bool kConstantB, bool kConstantC> void retreat(const Retreat& s) {
  recompute<kStates, kConstantB>(s);
  vf carry[kStates], dA[kStates];
  for (int n = 0; n < kStates; ++n) carry[n] = load(s.g + n * W), dA[n] = load(s.dA + n * W);
  const int64_t last = s.length - 1;
  const float *B = s.B.row + last * s.B.stride, *C = s.C.row + last * s.C.stride;
  float *dB = s.dB + last * s.dB_stride, *dC = s.dC + last * s.dC_stride;
  for (int64_t t = last; t >= 0; --t, B -= s.B.stride, C -= s.C.stride, dB -= s.dB_stride, dC -= s.dC_stride) {
    const vf dt = load(s.dt + t * W), du = load(s.du + t * W), gy = load(s.gy + t * W);
    const float *h_before = s.h + t * kStates * W, *h_row = h_before + kStates * W, *a_row = s.a + t * kStates * W;
    vf y = load(s.y + t * W), gB = load(s.gB + t * W), wA = load(s.wA + t * W);
#pragma GCC unroll 8
    for (int n = 0; n < kStates; ++n) {
      const vf c = coefficient<kConstantC>(C, n), h = load(h_row + n * W);
      const vf g = fma(c, gy, carry[n]);
      y = fma(c, h, y);
      gB = fma(g, coefficient<kConstantB>(B, n), gB);
      carry[n] = g * load(a_row + n * W);
      const vf w = carry[n] * load(h_before + n * W);
      dA[n] = fma(w, dt, dA[n]);
      wA = fma(w, load(s.A + n * W), wA);
      store(dC + n * W, fma(gy, h, load(dC + n * W)));
      store(dB + n * W, fma(g, du, load(dB + n * W)));
    }
    store(s.y + t * W, y), store(s.gB + t * W, gB), store(s.wA + t * W, wA);
  }
  for (int n = 0; n < kStates; ++n) store(s.g + n * W, carry[n]), store(s.dA + n * W, dA[n]);
}

template <bool kConstantB, bool kConstantC> void retreat_all(const Retreat& s, int64_t states) {
  int64_t n = 0;
  for (; n + kGradientsAtOnce <= states; n += kGradientsAtOnce) retreat<kGradientsAtOnce, kConstantB, kConstantC>(s.from(n));
  if (kGradientsAtOnce > 4 && n + 4 <= states) retreat<4, kConstantB, kConstantC>(s.from(n)), n += 4;
  if (n + 2 <= states) retreat<2, kConstantB, kConstantC>(s.from(n)), n += 2;
  if (n < states) retreat<1, kConstantB, kConstantC>(s.from(n));
}

// out[r] = sum of the lanes of rows[r], r < count; the rows are left zero, ready for the next sums.
inline void fold_lanes(float* rows, int64_t count, float* out) {
  int64_t r = 0;
#if UAM_ISA_LEVEL >= 1
  // W rows at once: pairs of rows are merged, each keeping half of the lanes, until one vector holds all W sums.
  vi lane;
  for (int i = 0; i < W; ++i) lane[i] = i;
  for (; r + W <= count; r += W) {
    vf row[W];
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
      row[i] = load(rows + (r + i) * W);
      store(rows + (r + i) * W, set1(0.f));
    }
#pragma GCC unroll 4
    for (int half = W / 2; half >= 1; half /= 2) {
      const vi from_second = (lane & half) ? set1i(W) : set1i(0);
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i)
        row[i] = __builtin_shuffle(row[i], row[i + half], lane + from_second) +
                 __builtin_shuffle(row[i], row[i + half], (lane ^ half) + from_second);
    }
    store(out + r, row[0]);
  }
#endif
  for (; r < count; ++r) {
    out[r] = sum(load(rows + r * W));
    store(rows + r * W, set1(0.f));
  }
}

// Sums over time of one block of sequences, in lane layout; a block of work adds to its own tiles only.
struct Totals {
  float *A, *B, *C;       // [tile][state][W]; B and C only where constant
  float *D, *delta_bias;  // [tile][W]
};

inline int64_t totals_size(const SelectiveScanBwd& p, const Tiling& tiling) {
  return tiling.count * W * (p.state * (1 + p.constant_B + p.constant_C) + 2);
}
inline Totals totals_at(const SelectiveScanBwd& p, const Tiling& tiling, float* start) {
  const int64_t matrix = tiling.count * W * p.state;
  float* B = start + matrix;
  float* C = B + (p.constant_B ? matrix : 0);
  float* D = C + (p.constant_C ? matrix : 0);
  return {start, B, C, D, D + tiling.count * W};
}

// Working memory of a block of work.
struct Workspace {
  float *dt, *du, *u, *gy, *y, *gB, *wA;  // [step][W], see Retreat
  float *dt_slope, *z_slope;              // [step][W]: d dt / d delta, and dOut silu'(z)
  float *h, *a;                           // see Retreat
  float *dB, *dC;                         // [step][state][W], zero between chunks
  float* folded;                          // [step][state]
  float* g;                               // [tile][state][W]
  Workspace(const SelectiveScanBwd& p, const Tiling& tiling, Scratch& scratch) {
    for (float** row : {&dt, &du, &u, &gy, &y, &gB, &wA, &dt_slope, &z_slope}) *row = scratch.take<float>(kScanChunk * W);
    h = scratch.take<float>((kScanChunk + 1) * kGradientsAtOnce * W);
    a = scratch.take<float>(kScanChunk * kGradientsAtOnce * W);
    dB = scratch.take<float>(kScanChunk * p.state * W);
    dC = scratch.take<float>(kScanChunk * p.state * W);
    for (float* sums : {dB, dC}) std::memset(sums, 0, size_t(kScanChunk * p.state * W) * sizeof(float));
    folded = scratch.take<float>(kScanChunk * p.state);
    g = scratch.take<float>(tiling.count * p.state * W);
  }
};

inline void begin_chunk(const SelectiveScanBwd& p, const Chunk& chunk, const Tile& tile, const Workspace& work) {
  const vf bias = p.delta_bias ? load_lanes(p.delta_bias.data + tile.channel, tile.lanes) : set1(0.f);
  const vf D = p.D ? load_lanes(p.D.data + tile.channel, tile.lanes) : set1(0.f);
  for (int64_t t = 0; t < chunk.length; ++t) {
    const int64_t at = (chunk.first + t * chunk.stride) * p.dim + tile.channel, to = t * W;
    const vf u = load_lanes(p.u.data + at, tile.lanes), x = load_lanes(p.delta.data + at, tile.lanes) + bias;
    const vf dt = p.delta_softplus ? softplus(x) : x;
    store(work.u + to, u);
    store(work.dt + to, min_of(set1(kLargestStep), dt));
    store(work.du + to, dt * u);
    store(work.dt_slope + to, p.delta_softplus ? logistic(x).value : set1(1.f));
    vf gy = p.dOut ? load_lanes(p.dOut.data + at, tile.lanes) : set1(0.f);
    if (p.z) {
      const vf z = load_lanes(p.z.data + at, tile.lanes);
      const Logistic gate = logistic(z);
      store(work.z_slope + to, gy * gate.value * fma(z, gate.rest, set1(1.f)));
      gy = gy * (z * gate.value);
    }
    store(work.gy + to, gy);
    store(work.y + to, p.D ? D * u : D);
    store(work.gB + to, set1(0.f));
    store(work.wA + to, set1(0.f));
  }
}

inline void end_chunk(const SelectiveScanBwd& p, const Chunk& chunk, const Tile& tile, const Workspace& work, const Totals& totals) {
  const vf D = p.D ? load_lanes(p.D.data + tile.channel, tile.lanes) : set1(0.f);
  vf dD = set1(0.f), dBias = set1(0.f);
  for (int64_t t = 0; t < chunk.length; ++t) {
    const int64_t at = (chunk.first + t * chunk.stride) * p.dim + tile.channel, from = t * W;
    const vf u = load(work.u + from), gy = load(work.gy + from), gB = load(work.gB + from), dt = load(work.dt + from);
    const vf dDelta = fma(u, gB, load(work.wA + from) * set1(0.693147182f)) * load(work.dt_slope + from);
    dD = fma(gy, u, dD);
    dBias = dBias + dDelta;
    if (p.dU) store_lanes(p.dU.data + at, p.D ? fma(D, gy, dt * gB) : dt * gB, tile.lanes);
    if (p.dDelta) store_lanes(p.dDelta.data + at, dDelta, tile.lanes);
    if (p.dZ) store_lanes(p.dZ.data + at, load(work.z_slope + from) * load(work.y + from), tile.lanes);
  }
  float *to_D = totals.D + tile.index * W, *to_bias = totals.delta_bias + tile.index * W;
  store(to_D, load(to_D) + dD);
  store(to_bias, load(to_bias) + dBias);
}

// Folds a chunk's [step][state][W] into the rows of dB or dC, [tokens, groups, state], where they are wanted.
inline void fold_chunk(const SelectiveScanBwd& p, const Chunk& chunk, int64_t group, float* lanes, float* folded, float* to) {
  if (!to) return;
  fold_lanes(lanes, chunk.length * p.state, folded);
  for (int64_t t = 0; t < chunk.length; ++t) {
    float* row = to + ((chunk.first + t * chunk.stride) * p.groups + group) * p.state;
    std::memcpy(row, folded + t * p.state, size_t(p.state) * sizeof(float));
  }
}

inline int64_t last_chunk(const SelectiveScanBwd& p, int64_t sequence) {
  const int64_t chunks = scan_chunks_of(p.offsets.length(sequence));
  return chunks > 0 ? chunks - 1 : 0;
}

// One sequence, the channels of one block, from its last step to its first. dB and dC: [tokens, groups, state] of this part.
inline void differentiate_sequence(const SelectiveScanBwd& p, const Tiling& tiling, const Packed& packed, const ChannelBlock& block,
                                   int64_t sequence, int64_t first_chunk, const Totals& totals, const Workspace& work, float* dB,
                                   float* dC) {
  const auto retreat_states = p.constant_B ? (p.constant_C ? retreat_all<true, true> : retreat_all<true, false>)
                                           : (p.constant_C ? retreat_all<false, true> : retreat_all<false, false>);
  const int64_t state = p.state, matrix = p.dim * state, rows = state * W;
  const int64_t first_tile = block.tile_begin(tiling), end_tile = block.tile_end(tiling);
  const int64_t chunks = scan_chunks_of(p.offsets.length(sequence));
  const auto each_tile = [&](auto&& body) {
    for (int64_t group = block.group_begin; group < block.group_end; ++group)
      for (int64_t i = first_tile; i < end_tile; ++i) body(tiling.tile(group, i));
  };
  each_tile([&](const Tile& tile) {
    if (p.dLastState) pack_tile(tile, state, p.dLastState.data + sequence * matrix, work.g + tile.index * rows);
    else std::memset(work.g + tile.index * rows, 0, size_t(rows) * sizeof(float));
  });
  for (int64_t c = chunks - 1; c >= 0; --c) {
    const Chunk chunk(p, sequence, c);
    const bool to_next_sequence = c == 0 && sequence + 1 < p.offsets.sequences();
    const Chunk next = to_next_sequence ? Chunk(p, sequence + 1, last_chunk(p, sequence + 1)) : Chunk(p, sequence, c > 0 ? c - 1 : 0);
    for (int64_t group = block.group_begin; group < block.group_end; ++group) {
      for (int64_t i = first_tile; i < end_tile; ++i) {
        const Tile tile = tiling.tile(group, i);
        const int64_t at = tile.index * rows;
        Ahead ahead(p, tiling, block, {chunk, next, group, i}, {p.u.data, p.delta.data, p.z.data, p.dOut.data},
                    {p.dU.data, p.dDelta.data, p.dZ.data});
        begin_chunk(p, chunk, tile, work);
        retreat_states({chunk.length,
                        work.dt,
                        work.du,
                        work.gy,
                        work.y,
                        work.gB,
                        work.wA,
                        packed.A + at,
                        coefficients(p.B.data, packed.B, p.constant_B, p, chunk, group, tile),
                        coefficients(p.C.data, packed.C, p.constant_C, p, chunk, group, tile),
                        p.checkpoints.data + (first_chunk + c) * matrix + tile.channel,
                        p.dim,
                        tile.lanes,
                        work.g + at,
                        totals.A + at,
                        p.constant_B ? totals.B + at : work.dB,
                        p.constant_C ? totals.C + at : work.dC,
                        p.constant_B ? 0 : rows,
                        p.constant_C ? 0 : rows,
                        work.h,
                        work.a,
                        &ahead},
                       state);
        end_chunk(p, chunk, tile, work, totals);
      }
      if (!p.constant_B) fold_chunk(p, chunk, group, work.dB, work.folded, dB);
      if (!p.constant_C) fold_chunk(p, chunk, group, work.dC, work.folded, dC);
    }
  }
  if (p.dH0) each_tile([&](const Tile& tile) { unpack_tile(tile, state, work.g + tile.index * rows, p.dH0.data + sequence * matrix); });
}

// Adds what `count` blocks found, `stride` floats apart, in their order.
inline void add_blocks(const float* first, int64_t count, int64_t stride, float* to, int64_t size) {
  parallel_for(size, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += W) {
      const int n = int(end - i < W ? end - i : W);
      vf total = set1(0.f);
      for (int64_t b = 0; b < count; ++b) total = total + load_lanes(first + b * stride + i, n);
      store_lanes(to + i, total, n);
    }
  });
}

// Sequences [begin(i), begin(i + 1)) are a block of about tokens / count tokens, cut by the offsets alone.
inline int64_t sequence_block_begin(const Offsets& offsets, int64_t tokens, int64_t count, int64_t i) {
  if (i == count) return offsets.sequences();
  int64_t low = 0, high = offsets.sequences();
  while (low < high) {  // the first sequence that starts at or after this share of the tokens
    const int64_t middle = (low + high) / 2;
    if (offsets.at(middle) < tokens / count * i) low = middle + 1;
    else high = middle;
  }
  return i == 0 ? 0 : low;
}

// The sums of all blocks of sequences, [tile][..][W], to their rows in C order.
inline void write_totals(const SelectiveScanBwd& p, const Tiling& tiling, const Totals& sums) {
  for (int64_t g = 0; g < p.groups; ++g)
    for (int64_t i = 0; i < tiling.per_group; ++i) {
      const Tile tile = tiling.tile(g, i);
      const int64_t rows = tile.index * p.state * W;
      if (p.dA) unpack_tile(tile, p.state, sums.A + rows, p.dA.data);
      if (p.dB && p.constant_B) unpack_tile(tile, p.state, sums.B + rows, p.dB.data);
      if (p.dC && p.constant_C) unpack_tile(tile, p.state, sums.C + rows, p.dC.data);
      if (p.dD) store_lanes(p.dD.data + tile.channel, load(sums.D + tile.index * W), tile.lanes);
      if (p.dDeltaBias) store_lanes(p.dDeltaBias.data + tile.channel, load(sums.delta_bias + tile.index * W), tile.lanes);
    }
}

}  // namespace scan

void selective_scan_bwd(const SelectiveScanBwd& p) {
  const int64_t sequences = p.offsets.sequences();
  const scan::Tiling tiling(p.dim, p.groups);
  Scratch scratch;
  const scan::Packed packed(p, tiling, scratch);
  int64_t* first_chunk = scratch.take<int64_t>(sequences);
  for (int64_t s = 0, chunk = 0; s < sequences; ++s) {
    first_chunk[s] = chunk;
    chunk += scan_chunks_of(p.offsets.length(s));
  }
  // Blocks of work: some sequences and some channels each. 64 blocks of sequences at most, and fewer where their totals
  // would outweigh the tokens.
  const scan::ChannelBlocks blocks(tiling, p.groups, scan::channel_blocks_wanted(sequences, p.dim));
  int64_t shares = p.tokens / (4 * (p.state + 1));
  shares = shares < 1 ? 1 : shares > 64 ? 64 : shares;
  if (shares > sequences) shares = sequences;
  const int64_t totals = scan::totals_size(p, tiling), rows = p.tokens * p.groups * p.state;
  float* per_share = scratch.take<float>(shares * totals);
  std::memset(per_share, 0, size_t(shares * totals) * sizeof(float));
  const bool per_token_B = p.dB && !p.constant_B, per_token_C = p.dC && !p.constant_C;
  float* parts_B = per_token_B && blocks.parts > 1 ? scratch.take<float>(blocks.parts * rows) : p.dB.data;
  float* parts_C = per_token_C && blocks.parts > 1 ? scratch.take<float>(blocks.parts * rows) : p.dC.data;

  parallel_for(shares * blocks.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t share = i / blocks.count;
      const scan::ChannelBlock block = blocks.block(i % blocks.count);
      Scratch local;
      const scan::Workspace work(p, tiling, local);
      const scan::Totals sums = scan::totals_at(p, tiling, per_share + share * totals);
      const int64_t last = scan::sequence_block_begin(p.offsets, p.tokens, shares, share + 1);
      for (int64_t s = scan::sequence_block_begin(p.offsets, p.tokens, shares, share); s < last; ++s)
        scan::differentiate_sequence(p, tiling, packed, block, s, first_chunk[s], sums, work,
                                     per_token_B ? parts_B + block.part * rows : nullptr,
                                     per_token_C ? parts_C + block.part * rows : nullptr);
    }
  });

  if (per_token_B && blocks.parts > 1) scan::add_blocks(parts_B, blocks.parts, rows, p.dB.data, rows);
  if (per_token_C && blocks.parts > 1) scan::add_blocks(parts_C, blocks.parts, rows, p.dC.data, rows);
  float* sums = scratch.take<float>(totals);
  scan::add_blocks(per_share, shares, totals, sums, totals);
  scan::write_totals(p, tiling, scan::totals_at(p, tiling, sums));
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void selective_scan_bwd(const SelectiveScanBwd& p) {
  check_selective_scan(p, true);
  if (p.dZ && !p.z) throw KernelError("UAM_ARGUMENT", "dZ needs z");
  UAM_BEST(selective_scan_bwd)(p);
}
}  // namespace uam::cpu
#endif
