// One tile of a product of matrices, by one block: gemm, grouped_linear and the convolutions differ in where factors come from
// (gemm_source.cuh) and where sums go. Stages of k lie in two buffers of shared memory; while one is multiplied, the next one is
// on its way to registers.
#pragma once
#include "bias_activation_functions.cuh"
#include "gemm_source.cuh"

namespace uam::cuda {

template <int rows, int columns, int warps_down, int warps_across> struct Tile {
  static constexpr int m = rows, n = columns, threads = 32 * warps_down * warps_across;
  static constexpr int warp_m = m / warps_down, warp_n = n / warps_across, across = warps_across;
  // The large tile takes aligned matrices only: what other loads need in registers is not to be had there.
  static constexpr bool whole = m * n == 128 * 128;
  // Blocks that share a multiprocessor: accumulators and the stage on its way take the most of their registers.
  static constexpr int resident(MatmulPrecision precision) {
    if (m * n == 32 * 32) return 10;
    return (precision == MatmulPrecision::bf16 ? whole ? 256 : 384 : 512) / threads;
  }
};
using LargeTile = Tile<128, 128, 2, 4>;
using MiddleTile = Tile<64, 64, 2, 2>;
using TallTile = Tile<128, 32, 4, 1>;
using WideTile = Tile<32, 128, 1, 4>;
using SmallTile = Tile<32, 32, 1, 2>;

// The sums of a warp: warp_m x warp_n numbers, spread over its lanes. Chunks are bands of 32 rows.
//
// float32: lanes lie 8 x 4, and own quads of 4 x 4 numbers, 32 rows and 16 columns apart.
template <class T, MatmulPrecision precision> struct Sums {
  static constexpr int quads_m = T::warp_m / 32, quads_n = T::warp_n / 16;
  float at[quads_m * 4][quads_n * 4];

  __device__ void add(const uint32_t* a, const uint32_t* b, int row, int column) {
    const int lane = int(threadIdx.x) & 31, down = row + lane / 4 * 4, right = column + lane % 4 * 4;
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      float left[quads_m * 4], top[quads_n * 4];
#pragma unroll
      for (int q = 0; q < quads_m; ++q)
        put_four(left + 4 * q, *reinterpret_cast<const float4*>(a + w * T::m + ((down + 32 * q) ^ swizzle<precision>(w))));
#pragma unroll
      for (int q = 0; q < quads_n; ++q)
        put_four(top + 4 * q, *reinterpret_cast<const float4*>(b + w * T::n + ((right + 16 * q) ^ swizzle<precision>(w))));
#pragma unroll
      for (int i = 0; i < quads_m * 4; ++i)
#pragma unroll
        for (int j = 0; j < quads_n * 4; ++j) at[i][j] = fmaf(left[i], top[j], at[i][j]);
    }
  }

  // put(row, column, two neighbours of that row) for every number of a chunk, in the chunk's rows.
  template <class Put> __device__ void each(int chunk, Put&& put) const {
    const int lane = int(threadIdx.x) & 31;
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < quads_n * 4; j += 4) {
        const float* four = at[chunk * 4 + i] + j;
        put(lane / 4 * 4 + i, j * 4 + lane % 4 * 4, make_float4(four[0], four[1], four[2], four[3]));
      }
  }

 private:
  static __device__ void put_four(float* to, float4 v) { to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w; }
};

// Tensor cores: fragments of 16 x 8 numbers (mma.cuh).
template <class T, MatmulPrecision precision> struct MmaSums {
  static constexpr int down = T::warp_m / 16, right = T::warp_n / 8;
  float at[down][right][4];

  __device__ void add(const uint32_t* a, const uint32_t* b, int row, int column) {
    const int lane = int(threadIdx.x) & 31, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int step = 0; step < kWords; step += 8) {
      const auto word = [=](const uint32_t* words, int lines, int w, int line) {
        // swizzle(step + w + t) with t apart: it differs from lane to lane
        return words[(step + w + t) * lines + (line ^ (t << 3) ^ swizzle<precision>(step + w))];
      };
      uint32_t columns[right][2];
#pragma unroll
      for (int j = 0; j < right; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h) columns[j][h] = word(b, T::n, 4 * h, column + 8 * j + g);
#pragma unroll
      for (int i = 0; i < down; ++i) {
        uint32_t rows[4];
#pragma unroll
        for (int h = 0; h < 4; ++h) rows[h] = word(a, T::m, h & 2 ? 4 : 0, row + 16 * i + (h & 1 ? 8 : 0) + g);
#pragma unroll
        for (int j = 0; j < right; ++j) {
          if constexpr (precision == MatmulPrecision::bf16) mma_bf16(at[i][j], rows, columns[j]);
          else mma_tf32(at[i][j], rows, columns[j]);
        }
      }
    }
  }

  template <class Put> __device__ void each(int chunk, Put&& put) const {
    const int lane = int(threadIdx.x) & 31;
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < right; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h)
          put(16 * i + 8 * h + lane / 4, 8 * j + lane % 4 * 2, make_float2(at[2 * chunk + i][j][2 * h], at[2 * chunk + i][j][2 * h + 1]));
  }
};
template <class T> struct Sums<T, MatmulPrecision::tf32> : MmaSums<T, MatmulPrecision::tf32> {};
template <class T> struct Sums<T, MatmulPrecision::bf16> : MmaSums<T, MatmulPrecision::bf16> {};

// The tile's sums over k in [0, count): target.put(row, column, four neighbours) for each four numbers of the tile, whether
// they exist or not. A and B are sources (see MatrixSource) whose lines are the tile's rows and columns.
template <class T, MatmulPrecision precision, class A, class B, class Target>
__device__ void multiply_tile(const A& a, const B& b, int count, const Target& target) {
  using PartA = Part<T::m, T::threads, precision, T::whole>;
  using PartB = Part<T::n, T::threads, precision, T::whole>;
  constexpr int depth = PartA::depth, words_a = kWords * T::m, words_b = kWords * T::n, band = 32 * T::warp_n;
  static_assert(T::threads / 32 * band <= 2 * (words_a + words_b), "the bands of all warps fit into the stages");
  UAM_SHARED(uint32_t, words, [2 * (words_a + words_b)]);
  uint32_t *const staged_a = words, *const staged_b = words + 2 * words_a;
  const int warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
  const int row = warp / T::across * T::warp_m, column = warp % T::across * T::warp_n;

  auto from_a = a.template reader<PartA>();
  auto from_b = b.template reader<PartB>();
  Sums<T, precision> sums{};
  float4 next_a[PartA::units], next_b[PartB::units];
  int buffer = 0;
  if (count > 0) {
    from_a.load(next_a);
    from_b.load(next_b);
    PartA::store(from_a.along_k, next_a, staged_a);
    PartB::store(from_b.along_k, next_b, staged_b);
  }
  __syncthreads();
  for (int k = depth; k < count + depth; k += depth) {
    const bool more = k < count;
    if (more) {
      from_a.load(next_a);
      from_b.load(next_b);
    }
    sums.add(staged_a + buffer * words_a, staged_b + buffer * words_b, row, column);
    buffer ^= 1;
    if (more) {
      PartA::store(from_a.along_k, next_a, staged_a + buffer * words_a);
      PartB::store(from_b.along_k, next_b, staged_b + buffer * words_b);
    }
    __syncthreads();
  }

  // Through shared memory, a band of 32 rows of each warp at a time: whole lines of memory are written, and the code of
  // activations stands here once.
  float* mine = reinterpret_cast<float*>(words) + warp * band;
  const auto place = [=](int r, int c) {  // fours of a row are swapped so that rows do not meet in a bank
    const int four = (c / 4) ^ (((r & 3) << 1 ^ (r & 4)) & (T::warp_n / 4 - 1));
    return mine + r * T::warp_n + four * 4 + c % 4;
  };
#pragma unroll
  for (int chunk = 0; chunk < T::warp_m / 32; ++chunk) {
    sums.each(chunk, [=](int r, int c, auto values) { *reinterpret_cast<decltype(values)*>(place(r, c)) = values; });
    __syncwarp();
#pragma unroll 1
    for (int i = lane; i < band / 4; i += 32) {
      const int r = i / (T::warp_n / 4), c = i % (T::warp_n / 4) * 4;
      target.put(row + 32 * chunk + r, column + c, *reinterpret_cast<const float4*>(place(r, c)));
    }
    __syncwarp();
  }
}

// What becomes of a sum on its way to memory.
struct Finish {
  const float* bias = nullptr;  // one per column
  Activation activation = Activation::none;
  bool accumulate = false;

  // `column` is that of v.x, `count` numbers of v exist, `vector` says that all four do and that the arrays are aligned.
  __device__ void put(float* c, float* pre, int64_t column, int count, bool vector, float4 v) const {
    float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i >= count) continue;
      if (bias) values[i] += bias[column + i];
      if (accumulate) values[i] += c[i];
    }
    if (pre) store(pre, count, vector, values);
    if (activation != Activation::none) {
#pragma unroll
      for (float& value : values) value = activated(activation, value);
    }
    store(c, count, vector, values);
  }

 private:
  static __device__ void store(float* to, int count, bool vector, const float (&values)[4]) {
    if (vector) {
      *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (i < count) to[i] = values[i];
    }
  }
};

// Rows of a matrix, side by side.
struct MatrixTarget {
  float *c, *pre;      // the tile's first element
  int64_t ld, column;  // column: the tile's first, for the bias
  int rows, columns;   // that exist, from the tile's first on
  bool vector;         // c and pre are aligned to 16 bytes, ld is a multiple of 4
  Finish finish;

  __device__ void put(int row, int col, float4 v) const {
    if (row >= rows || col >= columns) return;
    const int64_t at = row * ld + col;
    const int count = min(columns - col, 4);
    finish.put(c + at, pre ? pre + at : nullptr, column + col, count, vector && count == 4, v);
  }
};

// Blocks in the order of their numbers take tiles of eight rows of tiles together, column by column: those that run at the same
// time share what they read.
struct TilePlace {
  int m, n;
};
__device__ inline TilePlace tile_place(unsigned block, int tiles_m, int tiles_n) {
  constexpr int kBand = 8;
  const unsigned size = unsigned(kBand) * unsigned(tiles_n), band = block / size, within = block - band * size;
  const int above = int(band) * kBand;
  const unsigned height = unsigned(min(tiles_m - above, kBand));
  return {above + int(within % height), int(within / height)};
}

}  // namespace uam::cuda
