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
};
struct Strips {
  std::vector<Strip> list;
  std::vector<int32_t> first;  // of each sequence, and their number
};
inline Strips strips_of(const int32_t* offsets, int64_t sequences) {
  Strips strips;
  for (int64_t s = 0; s < sequences; ++s) {
    strips.first.push_back(int32_t(strips.list.size()));
    for (int64_t row = offsets[s]; row < offsets[s + 1]; row += kStripRows)
      strips.list.push_back({row, int32_t(std::min<int64_t>(kStripRows, offsets[s + 1] - row)), 0});
  }
  strips.first.push_back(int32_t(strips.list.size()));
  return strips;
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
template <class Value> void sum_strips(Call& call, const Strips& strips, int64_t columns, const Value& value, float* sums) {
  const int64_t count = int64_t(strips.list.size()), across = ceil_div<int64_t>(columns, kStripColumns);
  float* partial = sums ? call.scratch<float>(count * columns) : nullptr;
  if (count * across > INT32_MAX) throw KernelError("UAM_ARGUMENT", "too many rows and columns for one sum");
  if (count > 0)
    call.launch({unsigned(count * across), {kStripColumns, kStripLanes}}, strip_sums_kernel<Value>, columns, across,
                call.upload(strips.list), value, partial);
  const int64_t sequences = int64_t(strips.first.size()) - 1;
  if (sums)
    call.launch_elements(sequences * columns, add_strips_kernel, sequences, columns, call.upload(strips.first),
                         static_cast<const float*>(partial), sums);
}

// sums[c] = the sum over all rows of x[row, c]
struct RowValue {
  const float* x;
  int64_t columns;
  __device__ float operator()(int64_t row, int64_t column) const { return x[row * columns + column]; }
};
inline void channel_sums(Call& call, const float* x, int64_t rows, int64_t columns, float* sums) {
  sum_strips(call, strips_of(rows), columns, RowValue{x, columns}, sums);
}

}  // namespace uam::cuda
