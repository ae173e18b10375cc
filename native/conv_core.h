// The dense convolution loops, for one instruction set. Included after simd.h in each pass, so no include guard; the
// including file has conv_geometry.h, parallel.h, scratch.h, <algorithm> and <cstring> before it, and channel_sums.h.
//
// Nothing is unfolded. A *gather* makes a tile of kTile target pixels x 2W channels in registers: for each tap a run of
// contiguous source floats is broadcast against packed weights. Where taps leave the image a zero-padded window of it is
// copied first, so the inner loop never asks. Convolution gathers from the image onto the grid; its adjoint gathers from
// the grid onto the image, one phase of the stride at a time (a phase meets only the taps that reach it).
namespace uam::cpu::UAM_ISA {

inline constexpr int kTile = UAM_ISA_LEVEL == 2 ? 12 : 6;  // rows of the register tile: with 2 vectors each they fill the registers
inline constexpr int64_t kPanel = 2 * W;                   // channels of a packed panel; the last may be W wide

// A view of pixels: element (y, x, c) of the current image lies at data[y * row + x * pixel + c].
struct Pixels {
  const float* data;
  int64_t row, pixel;
};

// Copies rows [y0, y0 + rows) and columns [x0, x0 + cols) of one group of `image` to `window` [rows, cols, channels], zeros outside.
inline void copy_window(const Pixels& image, int64_t height, int64_t width, int64_t channels, int64_t y0, int64_t rows, int64_t x0,
                        int64_t cols, float* window) {
  const int64_t left = std::clamp<int64_t>(-x0, 0, cols), right = std::clamp<int64_t>(width - x0, left, cols);
  for (int64_t y = 0; y < rows; ++y, window += cols * channels) {
    if (y0 + y < 0 || y0 + y >= height) {
      std::memset(window, 0, size_t(cols * channels) * sizeof(float));
      continue;
    }
    const float* from = image.data + (y0 + y) * image.row + (x0 + left) * image.pixel;
    float* to = window + left * channels;
    std::memset(window, 0, size_t(left * channels) * sizeof(float));
    if (image.pixel == channels) {
      std::memcpy(to, from, size_t((right - left) * channels) * sizeof(float));
    } else {
      for (int64_t x = left; x < right; ++x, from += image.pixel, to += channels) std::memcpy(to, from, size_t(channels) * sizeof(float));
    }
    std::memset(window + right * channels, 0, size_t((cols - right) * channels) * sizeof(float));
  }
}

// The part of a source that the taps of targets [row, row + rows) x [col, col + cols) touch.
struct Window {
  int64_t y0, rows, x0, cols;
  Window(const Axis& ys, const Axis& xs, int64_t row, int64_t rows_, int64_t col, int64_t cols_)
      : y0(ys.stride * row + ys.offset),
        rows(ys.stride * (rows_ - 1) + ys.last_offset() - ys.offset + 1),
        x0(xs.stride * col + xs.offset),
        cols(xs.stride * (cols_ - 1) + xs.last_offset() - xs.offset + 1) {}
};

// A window as the tiles read it: in place, or copied with zeros where it leaves the image.
struct Source {
  Pixels pixels;
  int64_t y0, x0;  // image position of pixels.data
  Source(Scratch& scratch, const Pixels& image, int64_t height, int64_t width, int64_t channels, const Window& window, bool one_group)
      : pixels(image), y0(0), x0(0) {
    if (one_group && window.x0 >= 0 && window.x0 + window.cols <= width) return;  // rows outside are skipped by the loops
    float* local = scratch.take<float>(window.rows * window.cols * channels);
    copy_window(image, height, width, channels, window.y0, window.rows, window.x0, window.cols, local);
    pixels = {local, window.cols * channels, channels};
    y0 = window.y0;
    x0 = window.x0;
  }
};

// Taps of one kernel row that are neighbours in the source form one run of contiguous floats.
struct Runs {
  int64_t count, length, apart;  // floats
  Runs(const Axis& xs, int64_t pixel, int64_t channels) : count(xs.taps), length(channels), apart(xs.offset_step * pixel) {
    if (apart == channels) length *= count, count = 1;
  }
  explicit Runs(int64_t length_) : count(1), length(length_), apart(0) {}
};

// How a plane of targets is cut into tasks: as many rows and columns as keep a task near `flops` and its window in cache.
struct Cut {
  int64_t rows, cols, row_tasks, col_tasks;
  Cut(const Axis& ys, const Axis& xs, int64_t source_channels, int64_t flops_per_pixel, int64_t flops) {
    const int64_t pixel_bytes = source_channels * 4;
    const int64_t widest = std::clamp<int64_t>((128 << 10) / (pixel_bytes * xs.stride), 32, 512);
    cols = divide_up(xs.count, divide_up(xs.count, widest));
    const int64_t row_bytes = (xs.stride * (cols - 1) + xs.last_offset() - xs.offset + 1) * pixel_bytes;
    const int64_t fitting = ((384 << 10) / row_bytes - (ys.last_offset() - ys.offset)) / ys.stride;
    const int64_t wanted = std::max(flops / (flops_per_pixel * cols), divide_up(96, cols));  // 96 pixels or more repay reading the weights
    rows = std::clamp<int64_t>(std::min(wanted, fitting), 1, ys.count);
    row_tasks = divide_up(ys.count, rows);
    col_tasks = divide_up(xs.count, cols);
  }
};

// out[m, :channels] = bias + sum over rows r, runs s, k of a[m * pixel + r * row + s * apart + k] * w[r, s, k, :],
// for M target pixels and V vectors of channels.
template <int M, int V> __attribute__((noinline)) void gather_tile(const float* a, int64_t pixel, int64_t rows, int64_t row,
                                                                   const Runs& runs, const float* w, const float* bias, float* out,
                                                                   int64_t out_pixel, int channels) {
  const int last = channels - (V - 1) * W;
  vf start[V] = {};
  if (bias) {
    if constexpr (V == 2) start[0] = load(bias);
    start[V - 1] = load_n(bias + (V - 1) * W, last);
  }
  vf sums[M][V];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sums[m][v] = start[v];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t s = 0; s < runs.count; ++s) {
      const float* at = a + r * row + s * runs.apart;
      for (const float* end = at + runs.length; at < end; ++at, w += V * W) {
        vf weights[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) weights[v] = load(w + v * W);
#pragma GCC unroll 12
        for (int m = 0; m < M; ++m) {
          const vf x = set1(at[m * pixel]);
#pragma GCC unroll 2
          for (int v = 0; v < V; ++v) sums[m][v] = fma(x, weights[v], sums[m][v]);
        }
      }
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    float* to = out + m * out_pixel;
    if constexpr (V == 2) store(to, sums[m][0]);
    if (last == W) store(to + (V - 1) * W, sums[m][V - 1]);
    else store_n(to + (V - 1) * W, sums[m][V - 1], last);
  }
}

// out[m, :] += sum over rows r and columns x of a[r * a_row + x * a_pixel + m] * b[r * b_row + x * b_pixel + :], with
// M values of a against 2 vectors of b (V == 2) or the first n lanes of one (V == 1).
template <int M, int V>
__attribute__((noinline)) void outer_tile(Pixels a, Pixels b, int64_t rows, int64_t cols, float* out, int64_t out_row, int n) {
  vf sums[M][V] = {};
  for (int64_t r = 0; r < rows; ++r) {
    const float *from_a = a.data + r * a.row, *from_b = b.data + r * b.row;
    for (int64_t x = 0; x < cols; ++x, from_a += a.pixel, from_b += b.pixel) {
      vf values[V];
      if constexpr (V == 2) values[0] = load(from_b), values[1] = load(from_b + W);
      else values[0] = load_n(from_b, n);
#pragma GCC unroll 12
      for (int m = 0; m < M; ++m) {
        const vf factor = set1(from_a[m]);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sums[m][v] = fma(factor, values[v], sums[m][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    float* to = out + m * out_row;
    if constexpr (V == 2) store(to, load(to) + sums[m][0]), store(to + W, load(to + W) + sums[m][1]);
    else store_n(to, load_n(to, n) + sums[m][0], n);
  }
}

// Calls visit.operator()<M>() for the M = m of 1..kTile.
template <int M = kTile, class Visit> UAM_INLINE void with_tile(int m, Visit&& visit) {
  if constexpr (M > 1) {
    if (m < M) return with_tile<M - 1>(m, visit);
  }
  visit.template operator()<M>();
}

// The tiles of m target pixels, or m values of a: the loops around them are compiled once, not for every m.
struct TilesOf {
  decltype(&gather_tile<1, 1>) gather_one, gather_two;  // vectors
  decltype(&outer_tile<1, 1>) outer_one, outer_two;
  explicit TilesOf(int m) {
    with_tile(m, [&]<int M>() {
      gather_one = &gather_tile<M, 1>, gather_two = &gather_tile<M, 2>;
      outer_one = &outer_tile<M, 1>, outer_two = &outer_tile<M, 2>;
    });
  }
};

// One gather: target[n, rows, cols, g, o] = bias[g, o] + sum over taps and c of source[n, y, x, g, c] * weight(g, o, tap, c).
struct Gather {
  int64_t batch, groups;
  Axis rows, cols;
  const float* source;
  int64_t source_height, source_width, source_channels;  // channels of one group, here and below
  float* target;
  int64_t target_height, target_width, target_channels;
  const float* bias;  // [groups, target_channels] or null
  // weight(g, o, (ky, kx), c) = weight[g * weight_group + o * weight_target + (ky * kernel_width + kx) * weight_tap + c * weight_source]
  const float* weight;
  int64_t kernel_width, weight_group, weight_target, weight_tap, weight_source;
};

// to[c, o] = from[o * by_target + c * by_source] for `channels` of `width` targets, zero for the rest; a cache line of
// either side is used up before the next is touched.
inline void pack_tap(const float* from, int64_t by_target, int64_t by_source, int64_t depth, int64_t channels, int64_t width, float* to) {
  constexpr int64_t kLine = 16;
  for (int64_t c0 = 0; c0 < depth; c0 += kLine) {
    const int64_t c1 = std::min(depth, c0 + kLine);
    if (by_target == 1) {
      for (int64_t c = c0; c < c1; ++c)
        for (int64_t o = 0; o < channels; ++o) to[c * width + o] = from[c * by_source + o];
    } else {
      for (int64_t o = 0; o < channels; ++o)
        for (int64_t c = c0; c < c1; ++c) to[c * width + o] = from[o * by_target + c * by_source];
    }
    for (int64_t c = c0; c < c1; ++c)
      for (int64_t o = channels; o < width; ++o) to[c * width + o] = 0.f;
  }
}

// Weights as the tile reads them: [groups][panels][row taps][col taps][source channels][panel width].
inline void pack_weights(const Gather& q, float* packed) {
  const int64_t panels = divide_up(q.target_channels, kPanel), depth = q.rows.taps * q.cols.taps * q.source_channels;
  const int64_t group_floats = divide_up(q.target_channels, W) * W * depth;
  parallel_for(q.groups * panels, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, depth * kPanel)), [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t group = index / panels, first = index % panels * kPanel;
      const int64_t channels = std::min(kPanel, q.target_channels - first), width = channels > W ? kPanel : W;
      float* to = packed + group * group_floats + first * depth;
      for (int64_t ty = 0; ty < q.rows.taps; ++ty) {
        for (int64_t tx = 0; tx < q.cols.taps; ++tx) {
          const int64_t ky = q.rows.tap + ty * q.rows.tap_step, kx = q.cols.tap + tx * q.cols.tap_step;
          const float* from = q.weight + group * q.weight_group + first * q.weight_target + (ky * q.kernel_width + kx) * q.weight_tap;
          pack_tap(from, q.weight_target, q.weight_source, q.source_channels, channels, width, to);
          to += q.source_channels * width;
        }
      }
    }
  });
}

inline void gather(Gather q) {
  if (q.batch == 0 || q.groups == 0 || q.target_channels == 0 || q.rows.count == 0 || q.cols.count == 0) return;
  Axis &rows = q.rows, &cols = q.cols;
  if (rows.taps == 0 || cols.taps == 0 || q.source_channels == 0) {  // no tap meets the source: one empty tap leaves the bias
    q.source_channels = rows.offset = cols.offset = 0;
    rows.taps = cols.taps = 1;
  }
  const int64_t depth = rows.taps * cols.taps * q.source_channels;
  const int64_t group_floats = divide_up(q.target_channels, W) * W * depth, panels = divide_up(q.target_channels, kPanel);

  Scratch scratch;
  float* packed = scratch.take<float>(q.groups * group_floats);
  pack_weights(q, packed);

  const Cut cut(rows, cols, std::max<int64_t>(1, q.source_channels), std::max<int64_t>(2, 2 * depth * q.target_channels), 12'000'000);
  const int64_t planes = q.batch * q.groups * cut.row_tasks * cut.col_tasks;
  const int64_t shares = std::min(panels, divide_up(16, planes));  // few planes: share out the panels as well
  const int64_t source_pixel = q.groups * q.source_channels, target_pixel = q.groups * q.target_channels;

  parallel_for(planes * shares, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t share = task % shares, plane = task / shares;
      const int64_t col = plane % cut.col_tasks * cut.cols, row = plane / cut.col_tasks % cut.row_tasks * cut.rows;
      const int64_t group = plane / (cut.col_tasks * cut.row_tasks) % q.groups, image = plane / (cut.col_tasks * cut.row_tasks * q.groups);
      const int64_t row_count = std::min(cut.rows, rows.count - row), col_count = std::min(cut.cols, cols.count - col);

      Scratch window_scratch;
      const float* plane_data = q.source + image * q.source_height * q.source_width * source_pixel + group * q.source_channels;
      const Source window(window_scratch, {plane_data, q.source_width * source_pixel, source_pixel}, q.source_height, q.source_width,
                          q.source_channels, Window(rows, cols, row, row_count, col, col_count), q.groups == 1);
      const Pixels& source = window.pixels;
      const Runs runs(cols, source.pixel, q.source_channels);
      const int64_t row_weights = cols.taps * q.source_channels;  // weights of one kernel row, per target channel

      // Panels that fit in cache together are taken tile by tile, so that a pixel's channels are written side by side.
      const int64_t panel_end = panels * (share + 1) / shares;
      const int64_t together = std::max<int64_t>(1, (128 << 10) / std::max<int64_t>(1, depth * kPanel * 4));
      for (int64_t panel = panels * share / shares; panel < panel_end; panel += together) {
        const int64_t channel_end = std::min(std::min(panel + together, panel_end) * kPanel, q.target_channels);
        for (int64_t i = row; i < row + row_count; ++i) {
          const Axis::Range taps = rows.taps_inside(i, q.source_height);
          const int64_t y = rows.stride * i + rows.offset + taps.begin * rows.offset_step - window.y0;
          const float* from = source.data + y * source.row + (cols.offset - window.x0) * source.pixel;
          float* to = q.target + ((image * q.target_height + rows.first + rows.step * i) * q.target_width + cols.first) * target_pixel +
                      group * q.target_channels;
          const int64_t tiles = divide_up(col_count, kTile);
          for (int64_t tile = 0; tile < tiles; ++tile) {  // tiles of equal width, so that none is thin
            const int64_t j = col + col_count * tile / tiles, j_end = col + col_count * (tile + 1) / tiles;
            const TilesOf tiles_of(int(j_end - j));
            for (int64_t first = panel * kPanel; first < channel_end; first += kPanel) {
              const int channels = int(std::min(kPanel, q.target_channels - first));
              const int64_t width = channels > W ? kPanel : W;
              const auto run = channels > W ? tiles_of.gather_two : tiles_of.gather_one;
              run(from + cols.stride * j * source.pixel, cols.stride * source.pixel, taps.end - taps.begin, rows.offset_step * source.row,
                  runs, packed + group * group_floats + first * depth + taps.begin * row_weights * width,
                  q.bias ? q.bias + group * q.target_channels + first : nullptr, to + first + cols.step * j * target_pixel,
                  cols.step * target_pixel, channels);
            }
          }
        }
      }
    }
  });
}

// The same convolution with less to step over: where kernels lie side by side without overlap, what one sees of a row is one pixel of
// more channels (where each channel of the image has a bias it stays as it is: there is none for those); and a 1 x 1 kernel that steps
// by one sees no neighbours, so the whole batch is one row of pixels.
inline ConvGeometry flattened(ConvGeometry g, bool biased_image = false) {
  const bool side_by_side = g.kernel_width == g.stride_x && (g.dilation_x == 1 || g.kernel_width == 1) && g.padding_x == 0 &&
                            g.groups == 1 && g.image_width == g.grid_width * g.stride_x;
  if (side_by_side && !biased_image) {
    g.image_channels *= g.kernel_width;
    g.image_width = g.grid_width;
    g.kernel_width = g.stride_x = 1;
  }
  const bool pointwise = g.kernel_height == 1 && g.kernel_width == 1 && g.stride_y == 1 && g.stride_x == 1 && g.padding_y == 0 &&
                         g.padding_x == 0 && g.image_height == g.grid_height && g.image_width == g.grid_width;
  if (!pointwise) return g;
  g.image_width = g.grid_width = g.batch * g.grid_height * g.grid_width;
  g.batch = g.image_height = g.grid_height = 1;
  return g;
}

inline Gather gather_from_image(const ConvGeometry& given, const float* image, const float* weight, const float* bias, float* grid) {
  const ConvGeometry g = flattened(given);
  const int64_t taps = g.kernel_height * g.kernel_width, depth = taps * g.image_channels;
  return {g.batch,
          g.groups,
          grid_rows(g),
          grid_cols(g),
          image,
          g.image_height,
          g.image_width,
          g.image_channels,
          grid,
          g.grid_height,
          g.grid_width,
          g.grid_channels,
          bias,
          weight,
          g.kernel_width,
          g.grid_channels * depth,
          depth,
          g.image_channels,
          1};
}

// The image pixels (y, x), (y, x + stride_x), ..., (y + stride_y, x), ...: one phase.
inline Gather gather_from_grid(const ConvGeometry& given, int64_t y, int64_t x, const float* grid, const float* weight, const float* bias,
                               float* image) {
  const ConvGeometry g = flattened(given, bias != nullptr);
  const int64_t taps = g.kernel_height * g.kernel_width, depth = taps * g.image_channels;
  return {g.batch,
          g.groups,
          image_rows(g, y),
          image_cols(g, x),
          grid,
          g.grid_height,
          g.grid_width,
          g.grid_channels,
          image,
          g.image_height,
          g.image_width,
          g.image_channels,
          bias,
          weight,
          g.kernel_width,
          g.grid_channels * depth,
          1,
          g.image_channels,
          depth};
}

inline void image_to_grid(const ConvGeometry& g, const float* image, const float* weight, const float* bias, float* grid) {
  gather(gather_from_image(g, image, weight, bias, grid));
}

inline void grid_to_image(const ConvGeometry& g, const float* grid, const float* weight, const float* bias, float* image) {
  const ConvGeometry flat = flattened(g, bias != nullptr);
  for (int64_t y = 0; y < std::min(flat.stride_y, flat.image_height); ++y)
    for (int64_t x = 0; x < std::min(flat.stride_x, flat.image_width); ++x) gather(gather_from_grid(g, y, x, grid, weight, bias, image));
}

// dweight[g, o, ky, kx, i] = sum over n, gy, gx of grid[n, gy, gx, g, o] * image[n, iy, ix, g, i].
// A task owns some grid channels and a share of the pixels; shares are added in their order.
inline void weight_gradient(const ConvGeometry& given, const float* image, const float* grid, float* dweight) {
  const ConvGeometry g = flattened(given);
  const int64_t kernel_row = g.kernel_width * g.image_channels, depth = g.kernel_height * kernel_row,
                total = g.groups * g.grid_channels * depth;
  if (total == 0) return;
  const Axis rows = grid_rows(g), cols = grid_cols(g);
  if (g.batch == 0 || rows.count == 0 || cols.count == 0 || rows.taps == 0 || cols.taps == 0) {
    std::memset(dweight, 0, size_t(total) * sizeof(float));
    return;
  }
  constexpr int64_t kRange = 24;  // grid channels of a task: two register tiles
  const int64_t ranges = divide_up(g.grid_channels, kRange), owners = g.groups * ranges;
  const Cut cut(rows, cols, g.image_channels, 2 * depth * std::min(kRange, g.grid_channels), 12'000'000);
  const int64_t planes = g.batch * cut.row_tasks * cut.col_tasks;
  const int64_t affordable = std::max<int64_t>(1, (8 << 20) / total);  // parts of at most 32 MiB together
  const int64_t shares = std::min(std::min(planes, divide_up(32, owners)), affordable);
  const int64_t image_pixel = g.groups * g.image_channels, grid_pixel = g.groups * g.grid_channels;

  Scratch scratch;
  float* parts = shares == 1 ? dweight : scratch.take<float>(shares * total);
  parallel_for(owners * shares, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t share = task / owners, group = task % owners / ranges, range = task % ranges;
      const int64_t first = g.grid_channels * range / ranges, last = g.grid_channels * (range + 1) / ranges;
      float* part = parts + share * total + group * g.grid_channels * depth;
      std::memset(part + first * depth, 0, size_t((last - first) * depth) * sizeof(float));
      for (int64_t plane = planes * share / shares; plane < planes * (share + 1) / shares; ++plane) {
        const int64_t col = plane % cut.col_tasks * cut.cols, row = plane / cut.col_tasks % cut.row_tasks * cut.rows;
        const int64_t n = plane / (cut.col_tasks * cut.row_tasks);
        const int64_t row_count = std::min(cut.rows, rows.count - row), col_count = std::min(cut.cols, cols.count - col);
        Scratch window_scratch;
        const float* plane_data = image + n * g.image_height * g.image_width * image_pixel + group * g.image_channels;
        const Source window(window_scratch, {plane_data, g.image_width * image_pixel, image_pixel}, g.image_height, g.image_width,
                            g.image_channels, Window(rows, cols, row, row_count, col, col_count), g.groups == 1);
        const Pixels& source = window.pixels;
        const Runs runs(cols, source.pixel, g.image_channels);
        for (int64_t ty = 0; ty < rows.taps; ++ty) {
          const auto inside = rows.targets_inside(ty, ty + 1, g.image_height);
          const int64_t i = std::max(row, inside.begin), i_end = std::min(row + row_count, inside.end);
          if (i >= i_end) continue;
          const int64_t y = rows.stride * i + rows.offset + ty * rows.offset_step - window.y0;
          const float* from_image = source.data + y * source.row + (cols.stride * col + cols.offset - window.x0) * source.pixel;
          const float* from_grid = grid + ((n * g.grid_height + i) * g.grid_width + col) * grid_pixel + group * g.grid_channels;
          float* to = part + (rows.tap + ty) * kernel_row + cols.tap * g.image_channels;
          for (int64_t s = 0; s < runs.count; ++s) {
            const int64_t tiles = divide_up(last - first, kTile);
            for (int64_t tile = 0; tile < tiles; ++tile) {
              const int64_t o = first + (last - first) * tile / tiles, o_end = first + (last - first) * (tile + 1) / tiles;
              const Pixels a{from_grid + o, g.grid_width * grid_pixel, grid_pixel};
              const TilesOf tiles_of(int(o_end - o));
              for (int64_t k = 0; k < runs.length;) {
                const Pixels b{from_image + s * runs.apart + k, rows.stride * source.row, cols.stride * source.pixel};
                const int n = int(std::min<int64_t>(W, runs.length - k));
                const bool two = runs.length - k >= kPanel;
                (two ? tiles_of.outer_two : tiles_of.outer_one)(a, b, i_end - i, col_count, to + o * depth + s * g.image_channels + k,
                                                                depth, n);
                k += two ? kPanel : n;
              }
            }
          }
        }
      }
    }
  });
  if (shares > 1) add_parts(parts, total, shares, dweight);
}

}  // namespace uam::cpu::UAM_ISA
