#include "kernels/conv2d.h"

#include "bias_activation_sums.cuh"

#include "conv2d_gather.cuh"

namespace uam::cuda {

namespace {

// Where targets lie: all pixels in order, or those of one phase.
struct TargetPlaces {
  bool all;
  int first_y, step_y, first_x, step_x, height, width;
  Divisor by_rows, by_cols;
  __device__ int64_t operator()(int target) const {
    if (all) return target;
    int row = by_cols.take(target);  // target is the column now
    const int n = by_rows.take(row);
    return (int64_t(n) * height + first_y + step_y * row) * width + first_x + step_x * target;
  }
};

struct PixelTarget {
  const TargetPlaces& places;
  float* out;
  int64_t pitch, column;
  int first, rows, columns;
  bool vector;
  Finish finish;
  __device__ void put(int row, int col, float4 v) const {
    if (row >= rows || col >= columns) return;
    const int count = min(columns - col, 4);
    finish.put(out + places(first + row) * pitch + column + col, nullptr, column + col, count, vector && count == 4, v);
  }
};

// targets x outputs = gathered pixels x weights. parts of k go to arrays of their own, `apart` from each other.
struct Conv {
  Gather gather;
  TargetPlaces places;
  const float* weight;  // image_to_grid: [groups, outputs, k]
  PhaseWeights phase;   // grid_to_image
  float* out;
  int64_t pitch, apart, first_group;
  int targets, outputs, k, part, tiles_m, tiles_n;
  bool weight_vector, out_vector;
  const float* bias;
};

template <class T, MatmulPrecision precision, bool to_grid>
__global__ __launch_bounds__(T::threads, T::whole ? 1 : 384 / T::threads) void conv_kernel(Conv p) {
  const TilePlace tile = tile_place(blockIdx.x, p.tiles_m, p.tiles_n);
  const int64_t group = p.first_group + blockIdx.y;
  const int row = tile.m * T::m, column = tile.n * T::n, first = int(blockIdx.z) * p.part, count = max(min(p.part, p.k - first), 0);
  const TargetsSource a{p.gather, group, row, p.targets - row, first, count};
  const PixelTarget target{p.places,
                           p.out + blockIdx.z * p.apart,
                           p.pitch,
                           group * p.outputs + column,
                           row,
                           p.targets - row,
                           p.outputs - column,
                           p.out_vector,
                           Finish{p.bias}};
  if constexpr (to_grid) {
    const MatrixSource b{p.weight + (group * p.outputs + column) * p.k + first, p.k, p.outputs - column, count, true, p.weight_vector};
    multiply_tile<T, precision>(a, b, count, target);
  } else {
    const PhaseWeightsSource b{p.phase, group, column, p.outputs - column, first, count};
    multiply_tile<T, precision>(a, b, count, target);
  }
}

// dweight[o, (ky, kx, i)] = the sum over grid pixels of grid[pixel, o] image[pixel of that tap, i]
struct WeightGradient {
  Gather gather;
  const float* grid;
  float* out;  // [parts, groups, outputs, taps x channels]
  int64_t grid_pitch, apart, first_group;
  int outputs, columns, pixels, part, tiles_m, tiles_n;
  bool grid_vector, out_vector;
};

template <class T, MatmulPrecision precision>
__global__ __launch_bounds__(T::threads, T::whole ? 1 : 384 / T::threads) void weight_gradient_kernel(WeightGradient p) {
  const TilePlace tile = tile_place(blockIdx.x, p.tiles_m, p.tiles_n);
  const int64_t group = p.first_group + blockIdx.y;
  const int row = tile.m * T::m, column = tile.n * T::n, first = int(blockIdx.z) * p.part, count = max(min(p.part, p.pixels - first), 0);
  const MatrixSource a{p.grid + first * p.grid_pitch + group * p.outputs + row, p.grid_pitch, p.outputs - row, count, false, p.grid_vector};
  const TapsSource b{p.gather, group, column, p.columns - column, first, count};
  const int64_t at = blockIdx.z * p.apart + (group * p.outputs + row) * p.columns + column;
  const MatrixTarget target{p.out + at, nullptr, p.columns, column, p.outputs - row, p.columns - column, p.out_vector, Finish{}};
  multiply_tile<T, precision>(a, b, count, target);
}

// Convolutions go without the wide tile: their targets are many, or the product is small.
template <class Visit> void with_conv_tile(TileKind kind, Visit&& visit) {
  with_tile(kind == TileKind::wide ? TileKind::middle : kind, [&]<class T>() {
    if constexpr (!std::is_same_v<T, WideTile>) visit.template operator()<T>();
  });
}

constexpr int64_t kMostGroups = 65535;  // of one launch

template <bool to_grid> void launch_conv(Call& call, const Conv& p, const Plan& plan, int64_t groups) {
  if (p.targets == 0 || p.outputs == 0) return;
  for (int64_t group = 0; group < groups; group += kMostGroups) {
    with_conv_tile(plan.kind, [&]<class T>() {
      Conv some = p;
      some.first_group = group;
      some.tiles_m = ceil_div(p.targets, T::m), some.tiles_n = ceil_div(p.outputs, T::n);
      const dim3 blocks(unsigned(some.tiles_m) * unsigned(some.tiles_n), unsigned(std::min(groups - group, kMostGroups)),
                        unsigned(plan.parts));
      with_precision([&]<MatmulPrecision precision>() { call.launch({blocks, T::threads}, conv_kernel<T, precision, to_grid>, some); });
    });
  }
}

}  // namespace

void check_reach(const ConvGeometry& g) {
  check_geometry(g);
  constexpr int64_t most = (int64_t(1) << 29) - 1;
  const auto reach = [](int64_t grid, int64_t stride, int64_t kernel, int64_t dilation) {
    return std::max<int64_t>(grid, 1) * stride + std::max<int64_t>(kernel, 1) * dilation;
  };
  const bool fits = reach(g.grid_height, g.stride_y, g.kernel_height, g.dilation_y) < most &&
                    reach(g.grid_width, g.stride_x, g.kernel_width, g.dilation_x) < most &&
                    g.batch * g.image_height * g.image_width < most && g.batch * g.grid_height * g.grid_width < most &&
                    g.kernel_height * g.kernel_width * std::max(g.image_channels, g.grid_channels) < most;
  if (!fits) throw KernelError("UAM_ARGUMENT", "the images are too large for one convolution on the card");
}

void image_to_grid(Call& call, const ConvGeometry& g, const float* image, const float* weight, const float* bias, float* grid) {
  check_reach(g);
  const int64_t pitch = g.groups * g.grid_channels, targets = g.batch * g.grid_height * g.grid_width, count = targets * pitch;
  if (count == 0) return;
  const int64_t k = g.kernel_height * g.kernel_width * g.image_channels;
  const Plan plan =
      plan_product(targets, g.grid_channels, k, g.groups, on_16_bytes(image) && on_16_bytes(weight) && g.image_channels % 4 == 0);
  float* out = plan.parts > 1 ? call.scratch<float>(plan.parts * count) : grid;
  const Conv p{grid_gather(g, image),
               TargetPlaces{true, 0, 1, 0, 1, 0, 0, Divisor(), Divisor()},
               weight,
               PhaseWeights{},
               out,
               pitch,
               count,
               0,
               int(targets),
               int(g.grid_channels),
               int(k),
               int(plan.part),
               0,
               0,
               on_16_bytes(weight) && k % 4 == 0,
               on_16_bytes(out) && g.grid_channels % 4 == 0,
               plan.parts > 1 ? nullptr : bias};
  launch_conv<true>(call, p, plan, g.groups);
  if (plan.parts > 1)
    call.launch_elements(count, sum_parts_kernel, static_cast<const float*>(out), plan.parts, count, pitch, Finish{bias}, grid,
                         static_cast<float*>(nullptr));
}

void grid_to_image(Call& call, const ConvGeometry& g, const float* grid, const float* weight, const float* bias, float* image) {
  check_reach(g);
  const int64_t pitch = g.groups * g.image_channels, count = g.batch * g.image_height * g.image_width * pitch;
  if (count == 0) return;
  // Image pixels of one phase see the same taps: a product for each phase. Parts of k are planned for the phase that sees the most.
  const int64_t phases_y = std::min(g.stride_y, g.image_height), phases_x = std::min(g.stride_x, g.image_width);
  int64_t taps_y = 0, taps_x = 0;
  for (int64_t y = 0; y < phases_y; ++y) taps_y = std::max(taps_y, image_rows(g, y).taps);
  for (int64_t x = 0; x < phases_x; ++x) taps_x = std::max(taps_x, image_cols(g, x).taps);
  const int64_t most_k = taps_y * taps_x * g.grid_channels;
  const int64_t targets = g.batch * ceil_div(g.image_height, phases_y) * ceil_div(g.image_width, phases_x);
  const Plan plan = plan_product(targets, g.image_channels, most_k, g.groups,
                                 on_16_bytes(grid) && on_16_bytes(weight) && g.grid_channels % 4 == 0 && g.image_channels % 4 == 0);
  float* out = plan.parts > 1 ? call.scratch<float>(plan.parts * count) : image;
  for (int64_t y = 0; y < phases_y; ++y) {
    for (int64_t x = 0; x < phases_x; ++x) {
      const Axis rows = image_rows(g, y), cols = image_cols(g, x);
      const int64_t k = rows.taps * cols.taps * g.grid_channels;
      const PhaseWeights phase{weight,
                               int(g.grid_channels),
                               int(g.image_channels),
                               int(g.kernel_height),
                               int(g.kernel_width),
                               int(rows.tap),
                               int(rows.tap_step),
                               int(cols.tap),
                               int(cols.tap_step),
                               Divisor(g.grid_channels),
                               Divisor(cols.taps),
                               on_16_bytes(weight) && g.image_channels % 4 == 0};
      const bool all = phases_y == 1 && phases_x == 1 && g.stride_y == 1 && g.stride_x == 1;
      const Conv p{Gather(grid, g.groups, g.grid_channels, rows, cols, g.grid_height, g.grid_width),
                   TargetPlaces{all, int(rows.first), int(rows.step), int(cols.first), int(cols.step), int(g.image_height),
                                int(g.image_width), Divisor(rows.count), Divisor(cols.count)},
                   nullptr,
                   phase,
                   out,
                   pitch,
                   count,
                   0,
                   int(g.batch * rows.count * cols.count),
                   int(g.image_channels),
                   int(k),
                   int(plan.parts > 1 ? plan.part : k),
                   0,
                   0,
                   false,
                   on_16_bytes(out) && g.image_channels % 4 == 0,
                   plan.parts > 1 ? nullptr : bias};
      launch_conv<false>(call, p, plan, g.groups);
    }
  }
  if (plan.parts > 1)
    call.launch_elements(count, sum_parts_kernel, static_cast<const float*>(out), plan.parts, count, pitch, Finish{bias}, image,
                         static_cast<float*>(nullptr));
}

void conv_weight_gradient(Call& call, const ConvGeometry& g, const float* image, const float* grid, float* dweight) {
  check_reach(g);
  const int64_t columns = g.kernel_height * g.kernel_width * g.image_channels, count = g.groups * g.grid_channels * columns;
  if (count == 0) return;
  const int64_t pixels = g.batch * g.grid_height * g.grid_width;
  const Plan plan = plan_product(g.grid_channels, columns, pixels, g.groups,
                                 on_16_bytes(image) && on_16_bytes(grid) && g.grid_channels % 4 == 0 && g.image_channels % 4 == 0);
  float* out = plan.parts > 1 ? call.scratch<float>(plan.parts * count) : dweight;
  for (int64_t group = 0; group < g.groups; group += kMostGroups) {
    with_conv_tile(plan.kind, [&]<class T>() {
      const int tiles_m = int(ceil_div<int64_t>(g.grid_channels, T::m)), tiles_n = int(ceil_div<int64_t>(columns, T::n));
      const WeightGradient p{grid_gather(g, image),
                             grid,
                             out,
                             g.groups * g.grid_channels,
                             count,
                             group,
                             int(g.grid_channels),
                             int(columns),
                             int(pixels),
                             int(plan.part),
                             tiles_m,
                             tiles_n,
                             on_16_bytes(grid) && g.grid_channels % 4 == 0,
                             on_16_bytes(out) && columns % 4 == 0};
      const dim3 blocks(unsigned(tiles_m) * unsigned(tiles_n), unsigned(std::min(g.groups - group, kMostGroups)), unsigned(plan.parts));
      with_precision([&]<MatmulPrecision precision>() { call.launch({blocks, T::threads}, weight_gradient_kernel<T, precision>, p); });
    });
  }
  if (plan.parts > 1)
    call.launch_elements(count, sum_parts_kernel, static_cast<const float*>(out), plan.parts, count, columns, Finish{}, dweight,
                         static_cast<float*>(nullptr));
}

void conv2d_fwd(const Conv2dFwd& p) {
  Call call;
  image_to_grid(call, p.geometry, call.in(p.x), call.in(p.weight), call.in(p.bias), call.out(p.y));
  call.finish();
}

void conv2d_bwd_input(const Conv2dBwdInput& p) {
  Call call;
  grid_to_image(call, p.geometry, call.in(p.dy), call.in(p.weight), nullptr, call.out(p.dx));
  call.finish();
}

void conv2d_bwd_weight(const Conv2dBwdWeight& p) {
  const ConvGeometry& g = p.geometry;
  Call call;
  const float *x = call.in(p.x), *dy = call.in(p.dy);
  float *dweight = call.out(p.dweight), *dbias = call.out(p.dbias);
  if (dweight) conv_weight_gradient(call, g, x, dy, dweight);
  if (dbias) channel_sums(call, dy, g.batch * g.grid_height * g.grid_width, g.groups * g.grid_channels, dbias);
  call.finish();
}

}  // namespace uam::cuda
