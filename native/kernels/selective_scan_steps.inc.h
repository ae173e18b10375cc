// What the forward and the backward scan share: how channels are cut into vectors, tokens into chunks and the work
// into blocks. Compiled once per instruction set, inside its region (see simd.h): no include guard, and it includes nothing.
//
// Channels are the lanes. A tile is up to W neighbouring channels of one group, so that one broadcast of B[t, group, n]
// or C[t, group, n] serves every lane. Working arrays are in lane layout: [..][W], one vector per tile. Lanes past the
// last channel hold zero inputs and are never stored.
namespace uam::cpu::UAM_ISA::scan {

struct Tile {
  int64_t index, channel;
  int lanes;
};

struct Tiling {
  int64_t group_width, per_group, count;
  Tiling(int64_t dim, int64_t groups) : group_width(dim / groups), per_group((group_width + W - 1) / W), count(groups * per_group) {}
  Tile tile(int64_t group, int64_t i) const {
    const int64_t left = group_width - i * W;
    return {group * per_group + i, group * group_width + i * W, int(left < W ? left : W)};
  }
};

UAM_INLINE vf load_lanes(const float* p, int lanes) { return lanes == W ? load(p) : load_n(p, lanes); }
UAM_INLINE void store_lanes(float* p, vf v, int lanes) { lanes == W ? store(p, v) : store_n(p, v, lanes); }

// The channels of the groups [group_begin, group_end), of each group the part `part` of `parts`. With parts > 1 a block is
// a part of one group, and sums over the channels of a group must be added over its parts.
struct ChannelBlock {
  int64_t group_begin, group_end, part, parts;
  int64_t tile_begin(const Tiling& tiling) const { return tiling.per_group * part / parts; }
  int64_t tile_end(const Tiling& tiling) const { return tiling.per_group * (part + 1) / parts; }
};

// Cuts the channels only as far as `wanted` blocks ask for: whole rows are what memory likes best.
struct ChannelBlocks {
  int64_t groups, parts, groups_per_block, count;
  ChannelBlocks(const Tiling& tiling, int64_t group_count, int64_t wanted) : groups(group_count) {
    const int64_t parts_wanted = (wanted + groups - 1) / groups;
    parts = parts_wanted < tiling.per_group ? parts_wanted : tiling.per_group;
    if (parts < 1) parts = 1;
    groups_per_block = parts > 1 || wanted >= groups ? 1 : (groups + wanted - 1) / wanted;
    count = parts > 1 ? groups * parts : (groups + groups_per_block - 1) / groups_per_block;
  }
  ChannelBlock block(int64_t i) const {
    if (parts > 1) return {i / parts, i / parts + 1, i % parts, parts};
    const int64_t begin = i * groups_per_block, end = begin + groups_per_block;
    return {begin, end < groups ? end : groups, 0, 1};
  }
};

// Into how many blocks to cut the channels: enough for all threads to have work, few enough to keep rows long, and so that
// two chunks of the arrays at hand fit the second cache. Never a function of the number of threads.
inline int64_t channel_blocks_wanted(int64_t sequences, int64_t dim) {
  constexpr int64_t kTasks = 8, kWidest = 256;
  const int64_t for_threads = sequences < 1 ? 1 : (kTasks + sequences - 1) / sequences, for_cache = (dim + kWidest - 1) / kWidest;
  return for_threads > for_cache ? for_threads : for_cache;
}

// Steps [begin, begin + length) of a sequence in scan order; step t is the token first + t * stride.
struct Chunk {
  int64_t first, stride, length;
  Chunk(const SelectiveScanInputs& p, int64_t sequence, int64_t index) {
    const int64_t begin = index * kScanChunk, left = p.offsets.length(sequence) - begin;
    length = left < kScanChunk ? left : kScanChunk;
    stride = p.reverse ? -1 : 1;
    first = p.reverse ? p.offsets.at(sequence + 1) - 1 - begin : p.offsets.at(sequence) + begin;
  }
};

// A place in the work on one block of channels. Chunk by chunk, group by group, tile by tile; `next` is the chunk that follows.
struct Place {
  Chunk chunk, next;
  int64_t group, i;  // tile i of the group
};

// Asks for memory before it is needed. A tile is one cache line of each row, a pattern that hardware prefetchers miss, and
// waiting would double the time. So while the steps of a tile are worked on, the next tile's lines come to the first cache, and
// this tile's share of the next chunk comes to the second one, in the order in which memory holds it.
class Ahead {
 public:
  // Arrays [tokens, dim]; null ones are left out. `written` ones are fetched tile by tile only.
  Ahead(const SelectiveScanInputs& p, const Tiling& tiling, const ChannelBlock& block, const Place& place,
        std::initializer_list<const float*> read, std::initializer_list<const float*> written) {
    const int64_t begin = block.tile_begin(tiling), end = block.tile_end(tiling);
    const bool group_ends = place.i + 1 == end, chunk_ends = group_ends && place.group + 1 == block.group_end;
    const int64_t next_group = chunk_ends ? block.group_begin : place.group + 1;
    const Tile tile = group_ends ? tiling.tile(next_group, begin) : tiling.tile(place.group, place.i + 1);
    const Chunk& chunk = chunk_ends ? place.next : place.chunk;
    row_ = chunk.stride * p.dim;
    tile_steps_ = chunk.length;
    block_steps_ = place.next.length;
    lines_ = (end - begin) * (block.group_end - block.group_begin);
    const int64_t done = ((place.group - block.group_begin) * (end - begin) + place.i - begin) * place.chunk.length;
    step_ = done / lines_, line_ = done % lines_;
    const int64_t first = place.next.first * p.dim + tiling.tile(block.group_begin, begin).channel;
    for (const float* array : read)
      if (array) block_[blocks_++] = array + first, tile_[tiles_++] = array + chunk.first * p.dim + tile.channel;
    for (const float* array : written)
      if (array) tile_[tiles_++] = array + chunk.first * p.dim + tile.channel;
  }

  UAM_INLINE void fetch([[maybe_unused]] int64_t t) {
#if defined(__GNUC__)
    if (t < tile_steps_)
      for (int i = 0; i < tiles_; ++i) __builtin_prefetch(tile_[i] + t * row_);
    if (step_ < block_steps_)
      for (int i = 0; i < blocks_; ++i) __builtin_prefetch(block_[i] + step_ * row_ + line_ * W, 0, 2);
    if (++line_ == lines_) line_ = 0, ++step_;
#endif
  }

 private:
  int64_t row_, tile_steps_, block_steps_, lines_, step_, line_;
  int tiles_ = 0, blocks_ = 0;
  const float *tile_[7], *block_[4];
};

// The rows of one tile of a matrix [dim, state], in lane layout [state][W], and back.
inline void pack_tile(const Tile& tile, int64_t state, const float* rows, float* packed) {
  for (int64_t n = 0; n < state; ++n)
    for (int lane = 0; lane < W; ++lane) packed[n * W + lane] = lane < tile.lanes ? rows[(tile.channel + lane) * state + n] : 0.f;
}

inline void unpack_tile(const Tile& tile, int64_t state, const float* packed, float* rows) {
  for (int lane = 0; lane < tile.lanes; ++lane)
    for (int64_t n = 0; n < state; ++n) rows[(tile.channel + lane) * state + n] = packed[n * W + lane];
}

// A whole matrix [dim, state] in lane layout: [tile][state][W].
inline void pack_rows(const Tiling& tiling, int64_t groups, int64_t state, const float* rows, float* packed) {
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t i = 0; i < tiling.per_group; ++i) {
      const Tile tile = tiling.tile(g, i);
      pack_tile(tile, state, rows, packed + tile.index * state * W);
    }
}

// A log2(e), so that a step costs 2^(dt A'), kept finite: with dt <= kLargestStep the exponent never becomes -inf,
// whose distance from itself, which exp2 needs, would be NaN.
inline constexpr float kLargestStep = 1e8f, kLargestRate = 1e30f;
inline void scale_rates(float* packed, int64_t count) {
  for (int64_t i = 0; i < count; i += W) {
    const vf rate = load(packed + i) * set1(1.44269504f);
    store(packed + i, min_of(set1(kLargestRate), max_of(set1(-kLargestRate), rate)));
  }
}

// 2^t for finite t, and NaN for NaN.
UAM_INLINE vf decay(vf t) {
#if UAM_ISA_LEVEL == 2
  const vf r = nearest(t);
  return scale2(exp2_fraction(t - r), r);
#else
  // The integer is added to the exponent field. 2^128 is infinity's pattern; below 2^-126 the result is zero.
  const vf x = min_of(set1(128.f), t), r = nearest(x);
#if defined(__GNUC__)
  typedef uint32_t vu __attribute__((vector_size(W * 4)));  // far below 2^-126 the sum wraps before it is masked away
  const vi power = (vi)((vu)bits(exp2_fraction(x - r)) + ((vu)to_int(r) << 23));
  return floats(power & ~(x < set1(-126.f)));
#else
  return x < -126.f ? 0.f : floats(bits(exp2_fraction(x - r)) + int32_t(uint32_t(to_int(r)) << 23));
#endif
#endif
}

// B or C of state n at one step, for every lane: read per token (broadcast), or constant in time (lane layout).
template <bool kConstant> UAM_INLINE vf coefficient(const float* row, int n) { return kConstant ? load(row + n * W) : set1(row[n]); }

// B or C as the loops over one tile read them: `row` for the first step, `stride` floats on for the next.
struct Coefficients {
  const float* row;
  int64_t stride, per_state;
};
inline Coefficients coefficients(const float* given, const float* packed, bool constant, const SelectiveScanInputs& p, const Chunk& chunk,
                                 int64_t group, const Tile& tile) {
  if (constant) return {packed + tile.index * p.state * W, 0, W};
  return {given + (chunk.first * p.groups + group) * p.state, chunk.stride * p.groups * p.state, 1};
}

UAM_INLINE vf time_step(vf delta, vf bias, bool with_softplus) {
  const vf x = delta + bias;
  return with_softplus ? softplus(x) : x;
}

// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to full precision.
struct Logistic {
  vf value, rest;
};
UAM_INLINE Logistic logistic(vf x) {
  const vf e = exp(-abs(x)), near_one = set1(1.f) / (set1(1.f) + e), near_zero = e * near_one;
  return {select(x < set1(0.f), near_zero, near_one), select(x < set1(0.f), near_one, near_zero)};
}

// A, and B and C where they are constant, in lane layout: [tile][state][W].
struct Packed {
  float *A, *B = nullptr, *C = nullptr;
  Packed(const SelectiveScanInputs& p, const Tiling& tiling, Scratch& scratch) {
    const int64_t count = tiling.count * p.state * W;
    A = scratch.take<float>(count);
    pack_rows(tiling, p.groups, p.state, p.A.data, A);
    scale_rates(A, count);
    if (p.constant_B) pack_rows(tiling, p.groups, p.state, p.B.data, B = scratch.take<float>(count));
    if (p.constant_C) pack_rows(tiling, p.groups, p.state, p.C.data, C = scratch.take<float>(count));
  }
};

}  // namespace uam::cpu::UAM_ISA::scan
