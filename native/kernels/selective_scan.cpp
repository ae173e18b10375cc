#include "kernels/selective_scan.h"

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/selective_scan.cpp"
#include "simd.h"

#include "kernels/selective_scan_steps.inc.h"

// The forward scan. A sequence is walked chunk by chunk, and each chunk tile by tile: the rows of a chunk stay in cache
// while its tiles pass, and the state of a tile stays in registers while the chunk's steps pass. What happens once per
// token and channel (softplus, D u, the gate) is kept out of the loop over states, which is all exponentials.
namespace uam::cpu::UAM_ISA {
namespace scan {

#if UAM_ISA_LEVEL == 2
inline constexpr int kStatesAtOnce = 16;
#else
inline constexpr int kStatesAtOnce = 8;
#endif

// Some states of one tile over one chunk.
struct Advance {
  int64_t length;
  const float *dt, *du;  // [step][W]: dt, and dt u
  float* y;              // [step][W]: sum of C h is added
  const float* A;        // [state][W]: A log2(e)
  Coefficients B, C;
  float* h;      // [state][W]: before the chunk, then after it
  Ahead* ahead;  // null after the first states
  Advance from(int64_t n) const {
    Advance rest = *this;
    rest.A += n * W, rest.h += n * W, rest.B.row += n * B.per_state, rest.C.row += n * C.per_state;
    if (n > 0) rest.ahead = nullptr;
    return rest;
  }
};

template <int kStates, bool kConstantB, bool kConstantC> void advance(const Advance& s) {
  vf h[kStates];
  for (int n = 0; n < kStates; ++n) h[n] = load(s.h + n * W);
  const float *B = s.B.row, *C = s.C.row;
  for (int64_t t = 0; t < s.length; ++t, B += s.B.stride, C += s.C.stride) {
    const vf dt = load(s.dt + t * W), du = load(s.du + t * W);
    if (s.ahead) s.ahead->fetch(t);
    vf even = load(s.y + t * W), odd = set1(0.f);  // two sums, so that they do not wait for each other
#pragma GCC unroll 16
    for (int n = 0; n < kStates; ++n) {
      h[n] = fma(decay(dt * load(s.A + n * W)), h[n], du * coefficient<kConstantB>(B, n));
      vf& y = n % 2 ? odd : even;
      y = fma(h[n], coefficient<kConstantC>(C, n), y);
    }
    store(s.y + t * W, even + odd);
  }
  for (int n = 0; n < kStates; ++n) store(s.h + n * W, h[n]);
}

template <bool kConstantB, bool kConstantC> void advance_all(const Advance& s, int64_t states) {
  int64_t n = 0;
  for (; n + kStatesAtOnce <= states; n += kStatesAtOnce) advance<kStatesAtOnce, kConstantB, kConstantC>(s.from(n));
  if (kStatesAtOnce > 8 && n + 8 <= states) advance<8, kConstantB, kConstantC>(s.from(n)), n += 8;
  if (n + 4 <= states) advance<4, kConstantB, kConstantC>(s.from(n)), n += 4;
  if (n + 2 <= states) advance<2, kConstantB, kConstantC>(s.from(n)), n += 2;
  if (n < states) advance<1, kConstantB, kConstantC>(s.from(n));
}

// dt, dt u and D u of one tile over one chunk: [step][W]. What the loop needs is copied out of the contract first: a store
// through a vector type may alias anything, and every use would load it again.
inline void begin_chunk(const SelectiveScanFwd& p, const Chunk& chunk, const Tile& tile, float* dt, float* du, float* y) {
  const vf bias = p.delta_bias ? load_lanes(p.delta_bias.data + tile.channel, tile.lanes) : set1(0.f);
  const vf D = p.D ? load_lanes(p.D.data + tile.channel, tile.lanes) : set1(0.f);
  const bool has_D = bool(p.D), with_softplus = p.delta_softplus;
  const int lanes = tile.lanes;
  const int64_t length = chunk.length, row = chunk.stride * p.dim, first = chunk.first * p.dim + tile.channel;
  const float *u_row = p.u.data + first, *delta_row = p.delta.data + first;
  for (int64_t t = 0; t < length; ++t) {
    const vf u = load_lanes(u_row + t * row, lanes), x = load_lanes(delta_row + t * row, lanes) + bias;
    const vf step = with_softplus ? softplus(x) : x;
    store(dt + t * W, min_of(set1(kLargestStep), step));
    store(du + t * W, step * u);
    store(y + t * W, has_D ? D * u : D);
  }
}

inline void end_chunk(const SelectiveScanFwd& p, const Chunk& chunk, const Tile& tile, const float* y) {
  const int lanes = tile.lanes;
  const int64_t length = chunk.length, row = chunk.stride * p.dim, first = chunk.first * p.dim + tile.channel;
  const float* z_row = p.z ? p.z.data + first : nullptr;
  float* out_row = p.out.data + first;
  for (int64_t t = 0; t < length; ++t) {
    const vf value = load(y + t * W);
    store_lanes(out_row + t * row, z_row ? value * silu(load_lanes(z_row + t * row, lanes)) : value, lanes);
  }
}

// One sequence, the channels of one block. `first_chunk` is the sequence's place among all chunks.
inline void scan_sequence(const SelectiveScanFwd& p, const Tiling& tiling, const Packed& packed, const ChannelBlock& block,
                          int64_t sequence, int64_t first_chunk) {
  const auto advance_states = p.constant_B ? (p.constant_C ? advance_all<true, true> : advance_all<true, false>)
                                           : (p.constant_C ? advance_all<false, true> : advance_all<false, false>);
  const int64_t state = p.state, rows = state * W, matrix = p.dim * state;
  const int64_t first_tile = block.tile_begin(tiling), end_tile = block.tile_end(tiling);
  Scratch scratch;
  float* h = scratch.take<float>(tiling.count * rows);  // [tile][state][W]
  float *dt = scratch.take<float>(kScanChunk * W), *du = scratch.take<float>(kScanChunk * W), *y = scratch.take<float>(kScanChunk * W);

  const auto each_tile = [&](auto&& body) {
    for (int64_t g = block.group_begin; g < block.group_end; ++g)
      for (int64_t i = first_tile; i < end_tile; ++i) body(g, i, tiling.tile(g, i));
  };
  each_tile([&](int64_t, int64_t, const Tile& tile) {
    if (p.h0) pack_tile(tile, state, p.h0.data + sequence * matrix, h + tile.index * rows);
    else std::memset(h + tile.index * rows, 0, size_t(rows) * sizeof(float));
  });
  const int64_t chunks = scan_chunks_of(p.offsets.length(sequence));
  for (int64_t c = 0; c < chunks; ++c) {
    const Chunk chunk(p, sequence, c);
    const bool to_next_sequence = c + 1 == chunks && sequence + 1 < p.offsets.sequences();
    const Chunk next = to_next_sequence ? Chunk(p, sequence + 1, 0) : Chunk(p, sequence, c + 1 < chunks ? c + 1 : c);
    each_tile([&](int64_t group, int64_t i, const Tile& tile) {
      Ahead ahead(p, tiling, block, {chunk, next, group, i}, {p.u.data, p.delta.data, p.z.data}, {p.out.data});
      float* h_tile = h + tile.index * rows;
      if (p.checkpoints)
        for (int64_t n = 0; n < state; ++n)
          store_lanes(p.checkpoints.data + (first_chunk + c) * matrix + n * p.dim + tile.channel, load(h_tile + n * W), tile.lanes);
      begin_chunk(p, chunk, tile, dt, du, y);
      advance_states(
          {chunk.length, dt, du, y, packed.A + tile.index * rows, coefficients(p.B.data, packed.B, p.constant_B, p, chunk, group, tile),
           coefficients(p.C.data, packed.C, p.constant_C, p, chunk, group, tile), h_tile, &ahead},
          state);
      end_chunk(p, chunk, tile, y);
    });
  }
  if (!p.last_state) return;
  each_tile(
      [&](int64_t, int64_t, const Tile& tile) { unpack_tile(tile, state, h + tile.index * rows, p.last_state.data + sequence * matrix); });
}

}  // namespace scan

void selective_scan_fwd(const SelectiveScanFwd& p) {
  const int64_t sequences = p.offsets.sequences();
  if (sequences == 0 || p.dim == 0) return;
  const scan::Tiling tiling(p.dim, p.groups);
  Scratch scratch;
  const scan::Packed packed(p, tiling, scratch);
  int64_t* first_chunk = scratch.take<int64_t>(sequences);
  for (int64_t s = 0, chunk = 0; s < sequences; ++s) {
    first_chunk[s] = chunk;
    chunk += scan_chunks_of(p.offsets.length(s));
  }
  const scan::ChannelBlocks blocks(tiling, p.groups, scan::channel_blocks_wanted(sequences, p.dim));
  const int64_t tasks = sequences * blocks.count;
  const int64_t work = p.tokens * p.dim * (p.state + 4) / tasks + 1;  // exponentials of a task, about
  const int64_t grain = 400000 / work + 1;                            // some 50 us
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      scan::scan_sequence(p, tiling, packed, blocks.block(i % blocks.count), i / blocks.count, first_chunk[i / blocks.count]);
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void selective_scan_fwd(const SelectiveScanFwd& p) {
  check_selective_scan(p, bool(p.checkpoints));
  UAM_BEST(selective_scan_fwd)(p);
}
}  // namespace uam::cpu
#endif
