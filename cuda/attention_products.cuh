// Products of tiles of float32 in shared memory, for 128 threads: 16 groups of 4 rows times 8 threads that share the columns.
// Rows are as in memory, padded to an odd number of vectors: eight threads that read eight rows (or one row) meet no bank twice.
#pragma once
#include "attention_tiles.cuh"
#include "mma.cuh"

namespace uam::cuda {

inline constexpr int kTileRows = 64, kTileThreads = 128;
inline constexpr int kChunk = 64;  // columns of q and k that are multiplied at a time

// Floats from row to row, for rows of `width`.
UAM_HD constexpr int padded_row(int width) { return (ceil_div(width, 4) | 1) * 4; }

// Rows of a tile on their way to shared memory: columns [column, column + width) of `from`, zeros beyond its `columns`, for rows that
// are beyond `count`, and for hidden ones, whatever those hold.
struct RowSource {
  const float* from;
  int64_t stride;
  int count, columns;
  const uint8_t* mask;
  bool vectors;
  float factor;  // of every number, where not 1: see multiply_fetched
};
// `width` is a power of two from 16 on, log_width its logarithm: no division stands between the copies.
__device__ __forceinline__ void fetch_rows(float* to, int to_stride, int rows, const RowSource& source, int column, int log_width) {
  const int log_run = source.vectors ? log_width - 2 : log_width;
#pragma unroll 1
  for (int i = int(threadIdx.x); i < rows << log_run; i += kTileThreads) {
    const int r = i >> log_run, c = (i & ((1 << log_run) - 1)) << (log_width - log_run);
    const bool there = r < source.count && column + c < source.columns && (!source.mask || source.mask[r] != 0);
    const float* from = there ? source.from + r * source.stride + column + c : source.from;
    if (source.vectors) copy_async_16(to + r * to_stride + c, from, there);
    else copy_async_4(to + r * to_stride + c, from, there);
  }
}
// Once what a thread has fetched is there: the factor of the rows (the scale of q, so that scores are summed as on the CPU).
__device__ __forceinline__ void multiply_fetched(float* tile, int stride, int rows, const RowSource& source, int log_width) {
  if (source.factor == 1.f) return;
  const int log_run = source.vectors ? log_width - 2 : log_width;
#pragma unroll 1
  for (int i = int(threadIdx.x); i < rows << log_run; i += kTileThreads) {
    float* at = tile + (i >> log_run) * stride + ((i & ((1 << log_run) - 1)) << (log_width - log_run));
    at[0] *= source.factor;
    if (source.vectors) at[1] *= source.factor, at[2] *= source.factor, at[3] *= source.factor;
  }
}
UAM_HD constexpr int log_of_width(int width) { return width <= 16 ? 4 : width <= 32 ? 5 : width <= 64 ? 6 : 7; }

// The rows and columns of a thread: rows 4 * row_group() + i, columns of scores column_lane() + 8 * j.
__device__ __forceinline__ int row_group() { return int(threadIdx.x) / 8; }
__device__ __forceinline__ int column_lane() { return int(threadIdx.x) % 8; }

// s[i][j] += <a row, b row> over `width` columns (a multiple of 4), column after column.
template <int N>
__device__ __forceinline__ void add_products(float (&s)[4][N], const float* a, int a_stride, const float* b, int b_stride, int width) {
  const float *rows = a + row_group() * 4 * a_stride, *columns = b + column_lane() * b_stride;
#pragma unroll 1
  for (int c = 0; c < width; c += 4) {
    float4 x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = *reinterpret_cast<const float4*>(rows + i * a_stride + c);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float4 y = *reinterpret_cast<const float4*>(columns + j * 8 * b_stride + c);
#pragma unroll
      for (int i = 0; i < 4; ++i) s[i][j] = fmaf(x[i].w, y.w, fmaf(x[i].z, y.z, fmaf(x[i].y, y.y, fmaf(x[i].x, y.x, s[i][j]))));
    }
  }
}

// The columns of a result that a thread has, of W: vectors of 4 (2 where W is 16), eight vectors apart.
template <int W> struct ResultColumns {
  static constexpr int kVector = W >= 32 ? 4 : 2, kCount = W / 8;
  __device__ static int at(int n) { return (n / kVector * 8 + column_lane()) * kVector + n % kVector; }
  __device__ static void load(const float* row, float (&x)[kCount]) {
#pragma unroll
    for (int n = 0; n < kCount; n += kVector) {
      if constexpr (kVector == 4) {
        const float4 v = *reinterpret_cast<const float4*>(row + at(n));
        x[n] = v.x, x[n + 1] = v.y, x[n + 2] = v.z, x[n + 3] = v.w;
      } else {
        const float2 v = *reinterpret_cast<const float2*>(row + at(n));
        x[n] = v.x, x[n + 1] = v.y;
      }
    }
  }
  // `count` of the W columns exist. With `vectors`, they come in whole vectors at aligned addresses.
  __device__ static void store(float* row, const float (&x)[kCount], int count, bool vectors) {
#pragma unroll
    for (int n = 0; n < kCount; n += kVector) {
      if constexpr (kVector == 4) {
        if (vectors) {
          if (at(n) < count) *reinterpret_cast<float4*>(row + at(n)) = make_float4(x[n], x[n + 1], x[n + 2], x[n + 3]);
          continue;
        }
      }
#pragma unroll
      for (int k = 0; k < kVector; ++k)
        if (at(n + k) < count) row[at(n + k)] = x[n + k];
    }
  }
};

// sum[i][..] += weights[row i][j] * tile[j][..] for j < count (a multiple of 4), row after row of the tile.
template <int W> __device__ __forceinline__ void add_weighted_rows(float (&sum)[4][W / 8], const float* weights, int weight_stride,
                                                                   const float* tile, int stride, int count) {
  const float* rows = weights + row_group() * 4 * weight_stride;
  for (int j = 0; j < count; j += 4) {
    float4 w[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) w[i] = *reinterpret_cast<const float4*>(rows + i * weight_stride + j);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      float x[W / 8];
      ResultColumns<W>::load(tile + (j + k) * stride, x);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float factor = k == 0 ? w[i].x : k == 1 ? w[i].y : k == 2 ? w[i].z : w[i].w;
#pragma unroll
        for (int n = 0; n < W / 8; ++n) sum[i][n] = fmaf(factor, x[n], sum[i][n]);
      }
    }
  }
}

// Writes a thread's part of a tile of weights, for add_weighted_rows by the same warp.
template <int N> __device__ __forceinline__ void put_weights(float* weights, int stride, const float (&s)[4][N]) {
  float* to = weights + row_group() * 4 * stride + column_lane();
  __syncwarp();  // those of before are read
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) to[i * stride + 8 * j] = s[i][j];
  __syncwarp();
}

// Calls run.template operator()<W>() with the narrowest tile that holds `width` columns; wider ones are cut into slices of 128.
template <class Run> void with_tile_width(int64_t width, Run&& run) {
  if (width <= 16) run.template operator()<16>();
  else if (width <= 32) run.template operator()<32>();
  else if (width <= 64) run.template operator()<64>();
  else run.template operator()<128>();
}

}  // namespace uam::cuda
