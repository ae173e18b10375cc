// Sums over rows in a fixed order: sums[s, j] = the sum of f(i, j) over the rows i of sequence s. Strips of rows are summed by one
// block each (a warp holds 32 neighbouring columns), then strips are added in their order.
#pragma once
#include "row_pieces.cuh"

namespace uam::cuda {

inline constexpr int kStripRows = 256, kStripColumns = 32, kStripLanes = 8;

// value(row, column) may write, too. partial is [strips, columns].
template <class Value>
__global__ __launch_bounds__(kStripColumns* kStripLanes) void strip_sums_kernel(int64_t columns, int64_t blocks_across,
                                                                                const RowPiece* strips, Value value, float* partial) {
  UAM_SHARED(float, sums, [kStripLanes][kStripColumns]);
  const int64_t index = blockIdx.x / blocks_across, column = blockIdx.x % blocks_across * kStripColumns + threadIdx.x;
  const RowPiece strip = strips[index];
  float sum = 0.f;
  if (column < columns)
    for (int r = int(threadIdx.y); r < strip.count; r += kStripLanes) sum += value(strip.row + r, column);
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns || !partial) return;
  for (int lane = 1; lane < kStripLanes; ++lane) sum += sums[lane][threadIdx.x];
  partial[index * columns + column] = sum;
}

// In double, as strips may be many.
__global__ void add_strips_kernel(int64_t sequences, int64_t columns, const int32_t* first, const float* partial, float* sums);

// The strips of `sequences` sequences (row_pieces). sums may be null: then only value() is called for every element.
template <class Value>
void sum_strips(Call& call, const RowPieces& strips, int64_t sequences, int64_t columns, const Value& value, float* sums) {
  const int64_t across = ceil_div<int64_t>(columns, kStripColumns);
  float* partial = sums ? call.scratch<float>(strips.count * columns) : nullptr;
  if (strips.count * across > INT32_MAX) throw KernelError("UAM_ARGUMENT", "too many rows and columns for one sum");
  call.launch({unsigned(strips.count * across), {kStripColumns, kStripLanes}}, strip_sums_kernel<Value>, columns, across, strips.at, value,
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
  sum_strips(call, row_pieces(call, rows, kStripRows), 1, columns, RowValue{x, columns}, sums);
}

}  // namespace uam::cuda
