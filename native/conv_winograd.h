// 3 x 3 convolutions with 16 products where the sums as they are written have 36, for one instruction set. Included after
// simd.h in each pass, so no include guard; the including file has <algorithm>, <atomic> and conv_core.h before it.
//
// Winograd's F(2 x 2, 3 x 3) (Lavin and Gray 2015): a tile of 2 x 2 targets sees a patch d of 4 x 4 sources, and its sums over
// the taps w are A^T [(G w G^T) * (B^T d B)] A, where * multiplies point by point and
//         1  0 -1  0          1    0    0
//   B^T = 0  1  1  0      G = 1/2  1/2  1/2     A^T = 1  1  1  0
//         0 -1  1  0          1/2 -1/2  1/2           0  1 -1 -1
//         0  1  0 -1          0    0    1
// Over all channels, each of the 16 points is a matrix product of tiles by channels. The gradient of w is G^T [sum over the tiles of
// (A dy A^T) * (B^T d B)] G.
//
// The sums are those of the definition in another order. Over 128 channels their error is half that of the sums as they are written
// (4e-7 of the largest at worst, against 1e-6), for they are shorter; but it is relative to what the patch holds, not to what a target
// sees of it. A value so large that it hides its neighbours, an infinity or a NaN would show in targets that do not see it: where one
// occurs, these functions return false, having written nothing that stays, and the caller takes the sums as they are written. Without
// AVX2 they always do, and the compiler leaves the rest out: the addon has a size to keep.
namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kPoints = 16;
inline constexpr int64_t kLeastChannels = 32;      // of either side: with fewer, the transforms cost more than they save
inline constexpr int64_t kLeastTiles = 32;         // with fewer, those of the weights do
inline constexpr int64_t kMostWeights = 16 << 20;  // at all points: their memory has a bound
inline constexpr float kTame = 0x1p40f;            // products of sums of such values stay far below infinity

// The greatest magnitude that was met, as bits: those of NaN lie above those of infinity.
struct Magnitude {
  vi bits = {};
  UAM_INLINE void meet(vf x) {
    const vi magnitude = UAM_ISA::bits(abs(x));
    bits = magnitude > bits ? magnitude : bits;
  }
  bool tame() const {
    float lanes[W];
    store(lanes, floats(bits));
    for (float lane : lanes)
      if (!(lane < kTame)) return false;
    return true;
  }
};

// Along one axis, what 4 sources, 3 taps or the slopes of 2 targets are at the 4 points: B^T, G and A.
UAM_INLINE void to_points(const vf (&x)[4], vf (&to)[4]) {
  to[0] = x[0] - x[2], to[1] = x[1] + x[2], to[2] = x[2] - x[1], to[3] = x[1] - x[3];
}
UAM_INLINE void to_points(const vf (&w)[3], vf (&to)[4]) {
  const vf outer = set1(0.5f) * (w[0] + w[2]), inner = set1(0.5f) * w[1];
  to[0] = w[0], to[1] = outer + inner, to[2] = outer - inner, to[3] = w[2];
}
UAM_INLINE void to_points(const vf (&dy)[2], vf (&to)[4]) { to[0] = dy[0], to[1] = dy[0] + dy[1], to[2] = dy[0] - dy[1], to[3] = -dy[1]; }
// And back, to 2 targets or to the slopes of 3 taps: A^T and G^T.
UAM_INLINE void from_points(const vf (&m)[4], vf (&to)[2]) { to[0] = m[0] + (m[1] + m[2]), to[1] = m[1] - m[2] - m[3]; }
UAM_INLINE void from_points(const vf (&u)[4], vf (&to)[3]) {
  const vf sum = set1(0.5f) * (u[1] + u[2]);
  to[0] = u[0] + sum, to[1] = set1(0.5f) * (u[1] - u[2]), to[2] = sum + u[3];
}

// Tiles of 2 x 2 targets over a batch of planes, numbered along the rows.
struct TileGrid {
  int64_t batch, height, width;  // targets
  int64_t rows() const { return divide_up(height, 2); }
  int64_t cols() const { return divide_up(width, 2); }
  int64_t count() const { return batch * rows() * cols(); }
};

// Element (point, tile, channel) lies at data[point * apart + tile * row + channel]. Rows are an odd number of cache lines apart, so
// that columns of them do not compete for the same places in the cache.
struct PointBlock {
  float* data;
  int64_t row, apart;
  static int64_t odd(int64_t floats) { return (floats + 15) / 32 * 32 + 16; }
  PointBlock(Scratch& scratch, int64_t tiles, int64_t channels) : data(nullptr), row(odd(channels)), apart(odd(tiles * row)) {
    data = scratch.take<float>(kPoints * apart);
  }
};

// Where the SIDE x SIDE pixels from (y, x) on lie in a plane; those outside are at `zeros`.
template <int SIDE> inline void patch(const float* plane, int64_t height, int64_t width, int64_t channels, int64_t y, int64_t x,
                                      const float* zeros, const float* (&at)[SIDE][SIDE]) {
  for (int i = 0; i < SIDE; ++i) {
    const bool row_inside = y + i >= 0 && y + i < height;
    for (int j = 0; j < SIDE; ++j)
      at[i][j] = row_inside && x + j >= 0 && x + j < width ? plane + ((y + i) * width + x + j) * channels : zeros;
  }
}

// An image that tiles read: its pixel (y, x) belongs to target (y - offset_y, x - offset_x).
struct TileSource {
  const float* data;
  int64_t height, width, channels, offset_y, offset_x;
};

// block[point, tile, c] for tiles [begin, end) and channels [first, last): patches of 4 x 4 sources, or the slopes of 2 x 2 targets.
template <int SIDE> inline Magnitude transform_tiles(const TileGrid& grid, const TileSource& source, int64_t begin, int64_t end,
                                                     int64_t first, int64_t last, const float* zeros, const PointBlock& block) {
  Magnitude seen;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile / grid.cols() % grid.rows(), col = tile % grid.cols(), image = tile / (grid.rows() * grid.cols());
    const float* at[SIDE][SIDE];
    patch<SIDE>(source.data + image * source.height * source.width * source.channels, source.height, source.width, source.channels,
                2 * row + source.offset_y, 2 * col + source.offset_x, zeros, at);
    float* to = block.data + (tile - begin) * block.row;
    for (int64_t c = first; c < last; c += W, to += W) {
      const int n = int(std::min<int64_t>(W, last - c));
      vf along[SIDE][4];
#pragma GCC unroll 4
      for (int i = 0; i < SIDE; ++i) {
        vf x[SIDE];
#pragma GCC unroll 4
        for (int j = 0; j < SIDE; ++j) {
          x[j] = load_up_to(at[i][j] + c, n);
          seen.meet(x[j]);
        }
        to_points(x, along[i]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        vf x[SIDE], y[4];
#pragma GCC unroll 4
        for (int i = 0; i < SIDE; ++i) x[i] = along[i][j];
        to_points(x, y);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) store_up_to(to + (4 * i + j) * block.apart, y[i], n);
      }
    }
  }
  return seen;
}

// to[point, k] for the taps from[tap, k], k < count, a multiple of W: either side as pack_weights has it, so k runs over source
// channels and the targets of a panel.
inline Magnitude weights_of_panel(const float* from, int64_t count, float* to) {
  Magnitude seen;
  for (int64_t k = 0; k < count; k += W) {
    vf along[3][4];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      vf w[3];
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) seen.meet(w[j] = load(from + (3 * i + j) * count + k));
      to_points(w, along[i]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      vf y[4];
      to_points({along[0][j], along[1][j], along[2][j]}, y);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) store(to + (4 * i + j) * count + k, y[i]);
    }
  }
  return seen;
}

// The targets of tiles [begin, end), `channels` of them from `first` on, from sums[point, tile, panel channel].
inline void write_targets(const Gather& q, const TileGrid& grid, int64_t begin, int64_t end, int64_t first, int channels,
                          const PointBlock& sums) {
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile / grid.cols() % grid.rows(), col = tile % grid.cols(), image = tile / (grid.rows() * grid.cols());
    const bool below = 2 * row + 1 < grid.height, right = 2 * col + 1 < grid.width;
    const int64_t down = q.target_width * q.target_channels;
    float* to = q.target + (image * q.target_height + 2 * row) * down + 2 * col * q.target_channels + first;
    const float* from = sums.data + (tile - begin) * sums.row;
    for (int c = 0; c < channels; c += W) {
      const int n = std::min(W, channels - c);
      vf rows[4][2];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        vf m[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) m[i] = load(from + (4 * i + j) * sums.apart + c);
        from_points(m, rows[j]);
      }
      const vf bias = q.bias ? load_up_to(q.bias + first + c, n) : vf{};
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        if (i == 1 && !below) break;
        vf y[2];
        from_points({rows[0][i], rows[1][i], rows[2][i], rows[3][i]}, y);
        store_up_to(to + i * down + c, y[0] + bias, n);
        if (right) store_up_to(to + i * down + q.target_channels + c, y[1] + bias, n);
      }
    }
  }
}

inline bool winograd_fits(const Axis& axis) {
  return axis.taps == 3 && axis.stride == 1 && axis.offset_step == 1 && axis.step == 1 && axis.first == 0;
}

inline bool worth_transforming(int64_t inputs, int64_t outputs, const TileGrid& grid) {
  return W >= 8 && std::min(inputs, outputs) >= kLeastChannels && grid.count() >= kLeastTiles &&
         std::max(inputs, outputs) <= kMostWeights / kPoints / std::min(inputs, outputs);
}

// gather(q) for kernels of 3 x 3 that step by one; false where q is none or not worth it, or holds values that are not tame.
inline bool winograd_gather(const Gather& q) {
  const TileGrid grid{q.batch, q.rows.count, q.cols.count};
  if (!winograd_fits(q.rows) || !winograd_fits(q.cols) || q.groups != 1) return false;
  if (!worth_transforming(q.source_channels, q.target_channels, grid)) return false;
  const int64_t depth = q.source_channels, panels = divide_up(q.target_channels, kPanel);
  const int64_t panel_floats = divide_up(q.target_channels, W) * W * depth;
  Scratch scratch;
  float* taps = scratch.take<float>(9 * panel_floats);
  float* weights = scratch.take<float>(kPoints * panel_floats);
  float* zeros = scratch.take<float>(depth);
  std::memset(zeros, 0, size_t(depth) * sizeof(float));
  std::atomic<bool> tame{true};
  const auto judge = [&](const Magnitude& seen) {
    if (!seen.tame()) tame.store(false, std::memory_order_relaxed);
  };
  pack_weights(q, taps);
  const auto width_of = [&](int64_t panel) { return q.target_channels - panel * kPanel > W ? kPanel : W; };
  parallel_for(panels, std::max<int64_t>(1, (1 << 16) / (depth * kPanel)), [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      judge(weights_of_panel(taps + 9 * panel * kPanel * depth, depth * width_of(panel), weights + kPoints * panel * kPanel * depth));
  });

  // What a task transforms stays in the cache next to the nearest, while the weights pass.
  const int64_t block = std::clamp<int64_t>((448 << 10) / (kPoints * 4 * depth) / kTile * kTile, kTile, 8 * kTile);
  const int64_t blocks = divide_up(grid.count(), block), shares = std::min(panels, divide_up(16, blocks));
  const TileSource source{q.source, q.source_height, q.source_width, depth, q.rows.offset, q.cols.offset};
  const Runs runs(depth);
  parallel_for(blocks * shares, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t share = task % shares, begin = grid.count() * (task / shares) / blocks,
                    end = grid.count() * (task / shares + 1) / blocks;
      Scratch local;
      const PointBlock patches(local, end - begin, depth), sums(local, end - begin, kPanel);
      judge(transform_tiles<4>(grid, source, begin, end, 0, depth, zeros, patches));
      for (int64_t panel = panels * share / shares; panel < panels * (share + 1) / shares; ++panel) {
        const int64_t width = width_of(panel), tiles = divide_up(end - begin, kTile);
        for (int64_t point = 0; point < kPoints; ++point) {
          const float* by = weights + kPoints * panel * kPanel * depth + point * depth * width;
          for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t t = (end - begin) * tile / tiles, t_end = (end - begin) * (tile + 1) / tiles;
            const TilesOf tiles_of(int(t_end - t));
            (width > W ? tiles_of.gather_two : tiles_of.gather_one)(patches.data + point * patches.apart + t * patches.row, patches.row, 1,
                                                                    0, runs, by, nullptr, sums.data + point * sums.apart + t * sums.row,
                                                                    sums.row, int(width));
          }
        }
        write_targets(q, grid, begin, end, panel * kPanel, int(std::min(kPanel, q.target_channels - panel * kPanel)), sums);
      }
    }
  });
  return tame.load();
}

// part[point, output, input] += sum over `count` tiles of slopes[point, tile, output] * patches[point, tile, input], for the outputs
// [first, last), which slopes has from 0 on.
inline void add_products(const PointBlock& slopes, const PointBlock& patches, int64_t count, int64_t first, int64_t last, int64_t outputs,
                         int64_t inputs, float* part) {
  const int64_t tiles = divide_up(last - first, kTile);
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t o = (last - first) * tile / tiles, o_end = (last - first) * (tile + 1) / tiles;
      const TilesOf tiles_of(int(o_end - o));
      const Pixels a{slopes.data + point * slopes.apart + o, 0, slopes.row};
      float* to = part + (point * outputs + first + o) * inputs;
      for (int64_t c = 0; c < inputs;) {
        const Pixels b{patches.data + point * patches.apart + c, 0, patches.row};
        const int n = int(std::min<int64_t>(W, inputs - c));
        const bool two = inputs - c >= kPanel;
        (two ? tiles_of.outer_two : tiles_of.outer_one)(a, b, 1, count, to + c, inputs, n);
        c += two ? kPanel : n;
      }
    }
  }
}

// dweight[output, tap, input] from parts[share, point, output, input], which are added in their order.
inline void write_weight_gradient(const float* parts, int64_t shares, int64_t outputs, int64_t inputs, float* dweight) {
  const int64_t total = kPoints * outputs * inputs;
  parallel_for(outputs, std::max<int64_t>(1, (1 << 16) / (inputs * kPoints)), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      for (int64_t c = 0; c < inputs; c += W) {
        const int n = int(std::min<int64_t>(W, inputs - c));
        vf along[4][3];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          vf u[4];
#pragma GCC unroll 4
          for (int j = 0; j < 4; ++j) {
            const float* from = parts + ((4 * i + j) * outputs + o) * inputs + c;
            u[j] = load_up_to(from, n);
            for (int64_t share = 1; share < shares; ++share) u[j] += load_up_to(from + share * total, n);
          }
          from_points(u, along[i]);
        }
        float* to = dweight + o * 9 * inputs + c;
#pragma GCC unroll 3
        for (int j = 0; j < 3; ++j) {
          vf w[3];
          from_points({along[0][j], along[1][j], along[2][j], along[3][j]}, w);
#pragma GCC unroll 3
          for (int i = 0; i < 3; ++i) store_up_to(to + (3 * i + j) * inputs, w[i], n);
        }
      }
    }
  });
}

// weight_gradient(g, ...) for kernels of 3 x 3 that step by one; false as above.
inline bool winograd_weight_gradient(const ConvGeometry& g, const float* image, const float* grid_values, float* dweight) {
  const TileGrid grid{g.batch, g.grid_height, g.grid_width};
  const Axis rows = grid_rows(g), cols = grid_cols(g);
  if (!winograd_fits(rows) || !winograd_fits(cols) || g.kernel_height != 3 || g.kernel_width != 3 || g.groups != 1) return false;
  if (!worth_transforming(g.image_channels, g.grid_channels, grid)) return false;
  const int64_t inputs = g.image_channels, outputs = g.grid_channels, total = kPoints * inputs * outputs;

  // A task owns some grid channels and a share of the tiles; shares are added in their order.
  constexpr int64_t kRange = 144;
  const int64_t owners = divide_up(outputs, kRange);
  const int64_t affordable = std::max<int64_t>(1, (8 << 20) / total);  // parts of at most 32 MiB together
  const int64_t shares = std::min<int64_t>(std::min<int64_t>(divide_up(grid.count(), 128), 8), affordable);
  const int64_t most = std::clamp<int64_t>((1 << 19) / (kPoints * 4 * inputs), 32, 256);  // tiles that are transformed at a time
  const TileSource x{image, g.image_height, g.image_width, inputs, rows.offset, cols.offset};
  const TileSource dy{grid_values, g.grid_height, g.grid_width, outputs, 0, 0};
  Scratch scratch;
  float* parts = scratch.take<float>(shares * total);  // [share, point, output, input]
  float* zeros = scratch.take<float>(std::max(inputs, outputs));
  std::memset(zeros, 0, size_t(std::max(inputs, outputs)) * sizeof(float));
  std::atomic<bool> tame{true};
  parallel_for(owners * shares, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      const int64_t share = task / owners, first = outputs * (task % owners) / owners, last = outputs * (task % owners + 1) / owners;
      float* part = parts + share * total;
      for (int64_t point = 0; point < kPoints; ++point)
        std::memset(part + (point * outputs + first) * inputs, 0, size_t((last - first) * inputs) * sizeof(float));
      const int64_t share_begin = grid.count() * share / shares, share_end = grid.count() * (share + 1) / shares;
      const int64_t blocks = divide_up(share_end - share_begin, most);
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t begin = share_begin + (share_end - share_begin) * block / blocks,
                      end = share_begin + (share_end - share_begin) * (block + 1) / blocks;
        Scratch local;
        const PointBlock patches(local, end - begin, inputs), slopes(local, end - begin, last - first);
        const Magnitude of_x = transform_tiles<4>(grid, x, begin, end, 0, inputs, zeros, patches);
        const Magnitude of_dy = transform_tiles<2>(grid, dy, begin, end, first, last, zeros, slopes);
        if (!of_x.tame() || !of_dy.tame()) tame.store(false, std::memory_order_relaxed);
        add_products(slopes, patches, end - begin, first, last, outputs, inputs, part);
      }
    }
  });
  if (!tame.load()) return false;
  write_weight_gradient(parts, shares, outputs, inputs, dweight);
  return true;
}

}  // namespace uam::cpu::UAM_ISA
