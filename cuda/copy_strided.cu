#include "kernels/copy_strided.h"

#include "strided.cuh"

namespace uam::cuda {

// Elements in the order of `shape`, four at a time where both sides are contiguous along the last axis.
__global__ void copy_quads_kernel(int64_t quads, Places<2> places, bool repeated, const uint32_t* source, uint32_t* target) {
  for (int64_t i = first_element(); i < quads; i += element_step()) {
    int64_t at[2];
    places.find(i, at);
    const uint32_t* from = source + at[0];
    *reinterpret_cast<uint4*>(target + at[1]) = repeated ? make_uint4(*from, *from, *from, *from) : *reinterpret_cast<const uint4*>(from);
  }
}

__global__ void copy_elements_kernel(int64_t n, Places<2> places, const uint32_t* source, uint32_t* target) {
  for (int64_t i = first_element(); i < n; i += element_step()) {
    int64_t at[2];
    places.find(i, at);
    target[at[1]] = source[at[0]];
  }
}

// Planes of rows x columns in which the source is contiguous along rows, and the target along columns: tiles of 32 x 32 go through
// shared memory, so that both sides move whole lines. A row of the tile has a 33rd element: a column is then 32 different banks.
struct Planes {
  int64_t rows, columns, source_column, target_row;
  Divisor tiles_across, tiles_down;
};

__global__ void transpose_kernel(int64_t tiles, Planes planes, Places<2> places, const uint32_t* source, uint32_t* target) {
  UAM_SHARED(uint32_t, tile, [32][33]);
  const int x = int(threadIdx.x) % 32, y = int(threadIdx.x) / 32;
  for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    const int64_t strip = planes.tiles_across.quotient(t), plane = planes.tiles_down.quotient(strip);
    const int64_t column = (t - strip * planes.tiles_across.divisor()) * 32, row = (strip - plane * planes.tiles_down.divisor()) * 32;
    int64_t at[2];
    places.find(plane, at);
    const uint32_t* from = source + at[0];
    uint32_t* to = target + at[1];
#pragma unroll
    for (int k = 0; k < 32; k += 8)
      if (row + x < planes.rows && column + y + k < planes.columns)
        tile[y + k][x] = from[row + x + (column + y + k) * planes.source_column];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 32; k += 8)
      if (row + y + k < planes.rows && column + x < planes.columns) to[(row + y + k) * planes.target_row + column + x] = tile[x][y + k];
    __syncthreads();  // before the tile is filled again
  }
}

// The axis along which an operand is contiguous, or -1. Short ones are not worth a tile.
static int contiguous_axis(const Walk<2>& walk, int operand) {
  for (int axis = walk.rank - 1; axis >= 0; --axis)
    if (walk.strides[operand][axis] == 1 && walk.shape[axis] >= 8) return axis;
  return -1;
}

void copy_strided(const CopyStrided& p) {
  Walk<2> walk(table_of_host(p.shape));
  walk.bind(0, table_of_host(p.source_strides), p.source_offset, p.source_size);
  walk.bind(1, table_of_host(p.target_strides), p.target_offset, p.target_size);
  Call call;
  const auto* source = reinterpret_cast<const uint32_t*>(call.in(p.source)) + p.source_offset;
  auto* target = reinterpret_cast<uint32_t*>(call.inout(p.target)) + p.target_offset;
  const int rows = contiguous_axis(walk, 0), columns = contiguous_axis(walk, 1);

  if (rows >= 0 && columns >= 0 && rows != columns && walk.n > 0) {
    Planes planes{walk.shape[rows], walk.shape[columns], walk.strides[0][columns], walk.strides[1][rows], {}, {}};
    Walk<2> others = walk;  // the axes of planes are left out
    others.rank = 0, others.n = 1;
    for (int axis = 0; axis < walk.rank; ++axis) {
      if (axis == rows || axis == columns) continue;
      others.shape[others.rank] = walk.shape[axis];
      for (int k = 0; k < 2; ++k) others.strides[k][others.rank] = walk.strides[k][axis];
      ++others.rank;
      others.n *= walk.shape[axis];
    }
    const int64_t across = ceil_div<int64_t>(planes.columns, 32), down = ceil_div<int64_t>(planes.rows, 32),
                  tiles = others.n * down * across;
    planes.tiles_across = Divisor(across, tiles);
    planes.tiles_down = Divisor(down, tiles);
    const int64_t most = int64_t(call.multiprocessors()) * 16;  // two rounds of a full card
    call.launch({unsigned(std::min(tiles, most)), 256}, transpose_kernel, tiles, planes, Places<2>(others), source, target);
  } else if (quads_along(walk, 0, source) && quads_along(walk, 1, target) && walk.inner_stride(1) == 1) {
    call.launch_elements(walk.n / 4, copy_quads_kernel, walk.n / 4, Places<2>(walk, 4), walk.inner_stride(0) == 0, source, target);
  } else {
    call.launch_elements(walk.n, copy_elements_kernel, walk.n, Places<2>(walk), source, target);
  }
  call.finish();
}

}  // namespace uam::cuda
