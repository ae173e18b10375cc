// Sums over rows in a fixed order: sums[s, j] = the sum of f(i, j) over the rows i of sequence s. Strips of rows are summed by one
// block each (a warp holds 32 neighbouring columns), then strips are added in their order.
#pragma once
#include "call.cuh"

namespace uam::cuda {

// Strips of kStripRows rows, the first of each sequence: a table for all blocks.
inline constexpr int kStripRows = 256, kStripColumns = 32, kStripLanes = 8;

struct Strip {
  int64_t row;
  int32_t rows, unused;
  UAM_HD static Strip of(int64_t, int64_t row, int64_t rows) { return {row, int32_t(rows), 0}; }
};
struct Strips {
  std::vector<Strip> list;
  std::vector<int32_t> first;  // of each sequence, and their number
};
// The same table made on the card, for boundaries that a kernel made. Nobody has checked those: they are clamped, so that they rise within
// the rows. There are as many places as there may be pieces; those beyond the last one are empty.
template <class Piece> __global__ void cut_rows_kernel(const int32_t* offsets, int64_t groups, int64_t rows, int64_t most, int64_t places,
                                                       Piece* pieces, int32_t* first) {
  for (int64_t i = first_element(); i <= places; i += element_step()) {
    Piece found = Piece::of(0, 0, 0);
    int64_t begin = 0, before = 0;
    for (int64_t g = 0; g < groups; ++g) {
      if (i == g) first[g] = int32_t(before);
      const int64_t given = offsets[g + 1], end = given < begin ? begin : given > rows ? rows : given;
      const int64_t own = (end - begin + most - 1) / most, row = begin + (i - before) * most;
      if (i >= before && i < before + own) found = Piece::of(g, row, end - row < most ? end - row : most);
      before += own;
      begin = end;
    }
    if (i == groups) first[groups] = int32_t(before);
    if (i < places) pieces[i] = found;
  }
}

// Pieces of at most `most` rows, group after group, where the kernels find them.
template <class Piece> struct CutRows {
  const Piece* pieces;
  const int32_t* first;  // of each group, and their number
  int64_t count;
};
template <class Piece> CutRows<Piece> cut_rows(Call& call, const Offsets& offsets, int64_t rows, int64_t most) {
  const int64_t groups = offsets.sequences();
  if (offsets.on_device) {
    const int64_t places = ceil_div(rows, most) + groups;
    auto* pieces = call.scratch<Piece>(places);
    auto* first = call.scratch<int32_t>(groups + 1);
    call.launch_elements(places + 1, cut_rows_kernel<Piece>, offsets.on_device, groups, rows, most, places, pieces, first);
    return {pieces, first, places};
  }
  std::vector<Piece> pieces;
  std::vector<int32_t> first{0};
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t row = offsets.at(g); row < offsets.at(g + 1); row += most)
      pieces.push_back(Piece::of(g, row, std::min(most, offsets.at(g + 1) - row)));
    first.push_back(int32_t(pieces.size()));
  }
  return {pieces.empty() ? nullptr : call.upload(pieces), call.upload(first), int64_t(pieces.size())};
}

inline Strips strips_of(int64_t rows) {  // one sequence, of any length
  Strips strips;
  for (int64_t row = 0; row < rows; row += kStripRows) strips.list.push_back({row, int32_t(std::min<int64_t>(kStripRows, rows - row)), 0});
  strips.first = {0, int32_t(strips.list.size())};
  return strips;
}

// value(row, column) may write, too. partial is [strips, columns].
template <class Value>
__global__ __launch_bounds__(kStripColumns* kStripLanes) void strip_sums_kernel(int64_t columns, int64_t blocks_across, const Strip* strips,
                                                                                Value value, float* partial) {
  UAM_SHARED(float, sums, [kStripLanes][kStripColumns]);
  const int64_t index = blockIdx.x / blocks_across, column = blockIdx.x % blocks_across * kStripColumns + threadIdx.x;
  const Strip strip = strips[index];
  float sum = 0.f;
  if (column < columns)
    for (int r = int(threadIdx.y); r < strip.rows; r += kStripLanes) sum += value(strip.row + r, column);
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns || !partial) return;
  for (int lane = 1; lane < kStripLanes; ++lane) sum += sums[lane][threadIdx.x];
  partial[index * columns + column] = sum;
}

// In double, as strips may be many.
__global__ void add_strips_kernel(int64_t sequences, int64_t columns, const int32_t* first, const float* partial, float* sums);

// sums may be null: then only value() is called for every element.
template <class Value>
void sum_strips(Call& call, const CutRows<Strip>& strips, int64_t sequences, int64_t columns, const Value& value, float* sums) {
  const int64_t count = strips.count, across = ceil_div<int64_t>(columns, kStripColumns);
  float* partial = sums ? call.scratch<float>(count * columns) : nullptr;
  if (count * across > INT32_MAX) throw KernelError("UAM_ARGUMENT", "too many rows and columns for one sum");
  if (count > 0)
    call.launch({unsigned(count * across), {kStripColumns, kStripLanes}}, strip_sums_kernel<Value>, columns, across, strips.pieces, value,
                partial);
  if (sums)
    call.launch_elements(sequences * columns, add_strips_kernel, sequences, columns, strips.first, static_cast<const float*>(partial),
                         sums);
}

// sums[c] = the sum over all rows of x[row, c]
struct RowValue {
  const float* x;
  int64_t columns;
  __device__ float operator()(int64_t row, int64_t column) const { return x[row * columns + column]; }
};
inline void channel_sums(Call& call, const float* x, int64_t rows, int64_t columns, float* sums) {
  const Strips strips = strips_of(rows);
  const Strip* list = strips.list.empty() ? nullptr : call.upload(strips.list);
  sum_strips(call, CutRows<Strip>{list, call.upload(strips.first), int64_t(strips.list.size())}, 1, columns, RowValue{x, columns}, sums);
}

}  // namespace uam::cuda
