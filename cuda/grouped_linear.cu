#include "kernels/grouped_linear.h"

#include "bias_activation_sums.cuh"
#include "gemm_plan.cuh"

namespace uam::cuda {

namespace {

// A piece of one group's product: its rows (of y and dx), or its part of k (of d_weight).
struct Piece {
  int32_t group, count;
  int64_t row;
  UAM_HD static Piece of(int64_t group, int64_t row, int64_t count) { return {int32_t(group), int32_t(count), row}; }
};

// y and dx: the pieces are bands of T::m rows.
struct Rows {
  const Piece* pieces;
  const float *x, *weight;  // [rows, k], [groups, n, k] along k or [groups, k, n]
  float *y, *pre;           // [rows, n]
  int64_t n, k;
  int tiles_n;
  bool along_k, x_vector, weight_vector, y_vector;
  Finish finish;  // bias: [groups, n]
};

template <class T, MatmulPrecision precision>
__global__ __launch_bounds__(T::threads, T::whole ? 1 : T::resident(precision)) void rows_kernel(Rows p) {
  const Piece piece = p.pieces[blockIdx.x / unsigned(p.tiles_n)];
  if (piece.count == 0) return;
  const int64_t column = blockIdx.x % unsigned(p.tiles_n) * int64_t(T::n), weight = piece.group * p.n * p.k;
  const int k = int(p.k);
  const MatrixSource x{p.x + piece.row * p.k, p.k, piece.count, k, true, p.x_vector};
  const MatrixSource w{
      p.weight + weight + (p.along_k ? column * p.k : column), p.along_k ? p.k : p.n, existing(p.n, column), k, p.along_k, p.weight_vector};
  const int64_t at = piece.row * p.n + column;
  MatrixTarget target{p.y + at, p.pre ? p.pre + at : nullptr, p.n, column, piece.count, existing(p.n, column), p.y_vector, p.finish};
  if (target.finish.bias) target.finish.bias += piece.group * p.n;
  multiply_tile<T, precision>(x, w, k, target);
}

// d_weight: the pieces are parts of a group's rows, over which the product sums.
struct Weights {
  const Piece* pieces;
  const float *d_pre, *x;  // [rows, m], [rows, n]
  float* out;              // [pieces, m, n]
  int64_t m, n;
  int tiles_m, tiles_n;
  bool d_pre_vector, x_vector, out_vector;
};

template <class T, MatmulPrecision precision>
__global__ __launch_bounds__(T::threads, T::whole ? 1 : T::resident(precision)) void weights_kernel(Weights p) {
  const unsigned tiles = unsigned(p.tiles_m) * unsigned(p.tiles_n), index = blockIdx.x / tiles;
  const Piece piece = p.pieces[index];
  if (piece.count == 0) return;
  const TilePlace tile = tile_place(blockIdx.x % tiles, p.tiles_m, p.tiles_n);
  const int64_t row = tile.m * int64_t(T::m), column = tile.n * int64_t(T::n);
  const MatrixSource a{p.d_pre + piece.row * p.m + row, p.m, existing(p.m, row), piece.count, false, p.d_pre_vector};
  const MatrixSource b{p.x + piece.row * p.n + column, p.n, existing(p.n, column), piece.count, false, p.x_vector};
  const MatrixTarget target{
      p.out + (index * p.m + row) * p.n + column, nullptr, p.n, column, existing(p.m, row), existing(p.n, column), p.out_vector, Finish{}};
  multiply_tile<T, precision>(a, b, piece.count, target);
}

// out[group, i] = the sum of the group's pieces, in their order; zero where it has none.
__global__ void add_pieces_kernel(int64_t groups, int64_t count, const int32_t* first, const float* pieces, float* out) {
  for (int64_t i = first_element(); i < groups * count; i += element_step()) {
    const int64_t group = i / count, within = i % count;
    float sum = 0.f;
    for (int64_t piece = first[group]; piece < first[group + 1]; ++piece) sum += pieces[piece * count + within];
    out[i] = sum;
  }
}

unsigned blocks_of(int64_t count) {
  if (count > INT32_MAX) throw KernelError("UAM_ARGUMENT", "the groups are too large for one product");
  return unsigned(count);
}

// y = x weight^T (along_k) or x weight, group by group.
void multiply_rows(Call& call, Rows p, const Offsets& offsets, int64_t rows) {
  if (p.k > int64_t(1) << 30) throw KernelError("UAM_ARGUMENT", "the matrices are too large for one product");
  p.x_vector = on_16_bytes(p.x) && p.k % 4 == 0;
  p.weight_vector = on_16_bytes(p.weight) && (p.along_k ? p.k : p.n) % 4 == 0;
  p.y_vector = on_16_bytes(p.y) && on_16_bytes(p.pre) && p.n % 4 == 0;
  // as if all groups were of their mean length, without parts of k
  const int64_t mean = ceil_div(rows, std::max<int64_t>(offsets.sequences(), 1));
  const Plan plan =
      plan_product(mean, p.n, std::min<int64_t>(p.k, kLeastPart), std::max<int64_t>(offsets.sequences(), 1), p.x_vector && p.weight_vector);
  with_tile(plan.kind, [&]<class T>() {
    const CutRows<Piece> cut = cut_rows<Piece>(call, offsets, rows, T::m);
    if (cut.count == 0 || p.n == 0) return;
    Rows some = p;
    some.pieces = cut.pieces;
    some.tiles_n = int(ceil_div<int64_t>(p.n, T::n));
    const unsigned blocks = blocks_of(cut.count * some.tiles_n);
    with_precision([&]<MatmulPrecision precision>() { call.launch({blocks, T::threads}, rows_kernel<T, precision>, some); });
  });
}

// d_weight[g] = d_pre^T x over the rows of group g
void multiply_weights(Call& call, Weights p, const Offsets& offsets, int64_t rows, float* d_weight) {
  const int64_t count = p.m * p.n, groups = offsets.sequences();
  p.d_pre_vector = on_16_bytes(p.d_pre) && p.m % 4 == 0;
  p.x_vector = on_16_bytes(p.x) && p.n % 4 == 0;
  if (groups * count == 0) return;
  const Plan plan = plan_product(p.m, p.n, ceil_div(rows, groups), groups, p.d_pre_vector && p.x_vector);
  // Pieces as long as the mean group's parts; a long group has more of them.
  const int64_t most = std::max<int64_t>(plan.part, kLeastPart);
  const CutRows<Piece> cut = cut_rows<Piece>(call, offsets, rows, most);
  p.out = call.scratch<float>(cut.count * count);
  p.out_vector = p.n % 4 == 0;
  p.pieces = cut.pieces;
  with_tile(plan.kind, [&]<class T>() {
    p.tiles_m = int(plan.tiles_m), p.tiles_n = int(plan.tiles_n);
    const unsigned blocks = blocks_of(cut.count * plan.tiles_m * plan.tiles_n);
    with_precision([&]<MatmulPrecision precision>() { call.launch({blocks, T::threads}, weights_kernel<T, precision>, p); });
  });
  call.launch_elements(groups * count, add_pieces_kernel, groups, count, cut.first, static_cast<const float*>(p.out), d_weight);
}

}  // namespace

void grouped_linear_fwd(const GroupedLinearFwd& p) {
  Call call;
  Rows q{};
  q.x = call.in(p.x), q.weight = call.in(p.weight);
  q.y = call.out(p.y), q.pre = call.out(p.pre_activation);
  q.n = p.outputs, q.k = p.inputs, q.along_k = true;
  q.finish = {call.in(p.bias), p.activation, false};
  multiply_rows(call, q, p.offsets, p.rows);
  call.finish();
}

void grouped_linear_bwd(const GroupedLinearBwd& p) {
  Call call;
  const float *x = call.in(p.x), *weight = call.in(p.weight), *d_pre = call.in(p.d_pre);
  float *dx = call.out(p.dx), *d_weight = call.out(p.d_weight);
  if (dx) {
    Rows q{};
    q.x = d_pre, q.weight = weight, q.y = dx;
    q.n = p.inputs, q.k = p.outputs;
    multiply_rows(call, q, p.offsets, p.rows);
  }
  if (d_weight) {
    Weights q{};
    q.d_pre = d_pre, q.x = x;
    q.m = p.outputs, q.n = p.inputs;
    multiply_weights(call, q, p.offsets, p.rows, d_weight);
  }
  call.finish();
}

}  // namespace uam::cuda
