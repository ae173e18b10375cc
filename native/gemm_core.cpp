// Blocking: k in chunks that keep a panel of b near the processor, b packed once per chunk and shared by all
// threads, then blocks of c (rows x columns) as tasks. A long k with a small c (the gradient of a weight, k = tokens)
// is cut along k instead: partial products, added in order. No cut depends on the number of threads.
#include "gemm_core.h"

#include <algorithm>
#include <utility>

#include "parallel.h"
#include "params.h"
#include "scratch.h"
#define UAM_SIMD_FILE "gemm_core.cpp"
#include "simd.h"

#include "activation_loops.h"
#include "gemm_dot.h"
#include "gemm_tile.h"

#include "gemm_pack.h"  // after gemm_tile.h: it packs for tiles

namespace uam::cpu::UAM_ISA {

// Sizes that were measured, on Zen 4.
inline constexpr int64_t kDepth = 384;                 // of k in a chunk
inline constexpr int64_t kOneChunk = 512;              // a k up to this long is one chunk
inline constexpr int64_t kColumns = 4096;              // of b packed at a time
inline constexpr int64_t kRowBlock = 8 * kTileRows;    // rows of c in a task
inline constexpr int64_t kEnoughTasks = 16;            // to keep some threads busy to the end
inline constexpr int64_t kTaskWork = 1 << 20;          // multiply-adds that pay for handing over a task
inline constexpr int64_t kPackWork = 1 << 15;          // elements packed in a task
inline constexpr int64_t kSplitDepth = 1024;           // k of a partial product, at least
inline constexpr int64_t kSplitTasks = 32;             // partial products times blocks of c, about
inline constexpr int64_t kDirectRows = 2 * kTileRows;  // up to so many rows of c,
inline constexpr int64_t kDirectB = 1 << 13;           // or so many elements of b, b is read where it lies
inline constexpr int64_t kCrowdedRows = 1024;          // rows of a at multiples of this distance share too few cache lines
inline constexpr int64_t kWorthCopying = 128;          // columns of c that repay a copy of such rows
inline constexpr int64_t kShortDepth = 32;             // k so short that writing c is the work
inline constexpr int64_t kDotRows = 6;                 // fewer rows than this do not repay packing b

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Where part i of `parts` nearly equal parts of n begins.
inline int64_t cut(int64_t n, int64_t i, int64_t parts) { return n * i / parts; }

// to = activation(from), both rows x columns with one leading dimension; they may be the same array.
inline void activate(Activation activation, float* to, const float* from, int64_t ld, int64_t rows, int64_t columns) {
  with_activation(activation, [&]<class F>() {
    for (int64_t i = 0; i < rows; ++i) {
      const float* x = from + i * ld;
      float* y = to + i * ld;
      int64_t j = 0;
      for (; j + W <= columns; j += W) store(y + j, F::f(load(x + j)));
      if (j < columns) store_n(y + j, F::f(load_n(x + j, int(columns - j))), int(columns - j));
    }
  });
}

// One chunk of k over one range of columns: what every task of it needs.
struct Chunk {
  const Gemm& g;
  int64_t k0, depth;    // of k
  int64_t j0, columns;  // of n
  const float* packed;  // panel of columns from j0 + j at packed + j * depth
  bool direct;          // full panels of b are read where they lie
  bool first, last;     // of the chunks of k
};

// A block of rows of op(a), where it lies or copied, cut into panels of nearly equal height, at most a tile's.
struct RowBlock {
  int64_t rows, panels;
  bool by_rows;
  const float* data;
  int64_t ld, panel_size;  // panel p of a transposed a begins at p * panel_size

  int64_t begin(int64_t panel) const { return cut(rows, panel, panels); }
  int height(int64_t panel) const { return int(begin(panel + 1) - begin(panel)); }
  const float* panel(int64_t p) const { return by_rows ? data + begin(p) * ld : data + p * panel_size; }
};

// Rows [i0, i1) of the chunk's part of a for `columns` columns of c.
inline RowBlock row_block(const Chunk& chunk, int64_t i0, int64_t i1, int64_t columns, Scratch& scratch) {
  const Operand& a = chunk.g.a;
  const int64_t depth = chunk.depth;
  RowBlock block{i1 - i0, ceil_div(i1 - i0, kTileRows), !a.transposed, nullptr, 0, kPaddedRows * depth};
  if (a.transposed) {
    float* copy = scratch.take<float>(block.panels * block.panel_size);
    for (int64_t p = 0; p < block.panels; ++p)
      pack_a_by_columns(a, chunk.g.m, i0 + block.begin(p), block.height(p), chunk.k0, depth, copy + p * block.panel_size);
    block.data = copy;
    block.ld = kPaddedRows;
  } else if (a.fill || (a.ld % kCrowdedRows == 0 && columns >= kWorthCopying && block.rows > 1)) {
    block.ld = row_distance(depth);
    float* copy = scratch.take<float>(block.rows * block.ld);
    pack_a_by_rows(a, i0, block.rows, chunk.k0, depth, copy);
    block.data = copy;
  } else {
    block.ld = a.ld;
    block.data = a.data + i0 * a.ld + chunk.k0;
  }
  return block;
}

// The chunk's share of c in rows [i0, i1) and columns [j0, j1), and behind the last chunk the activation.
inline void multiply_block(const Chunk& chunk, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  const Gemm& g = chunk.g;
  Scratch scratch;
  const RowBlock a = row_block(chunk, i0, i1, j1 - j0, scratch);
  float* sums = g.pre_activation ? g.pre_activation : g.c;
  TileCall t{};
  t.depth = chunk.depth;
  t.a_ld = a.ld;
  t.c_ld = g.ldc;
  // c is written in long rows: a panel of a stays in the nearest cache, those of b pass through it.
  for (int64_t p = 0; p < a.panels; ++p) {
    const int height = a.height(p);
    const int64_t row = (i0 + a.begin(p)) * g.ldc;
    t.a = a.panel(p);
    for (int64_t j = j0; j < j1; j += t.columns) {
      t.columns = next_columns(j1 - j);
      const bool direct = chunk.direct && t.columns == kTileColumns;
      t.b = direct ? g.b.data + chunk.k0 * g.b.ld + j : chunk.packed + (j - chunk.j0) * chunk.depth;
      t.b_ld = direct ? g.b.ld : padded_width(t.columns);
      t.c = sums + row + j;
      t.soon = t.c + (chunk.depth <= kShortDepth ? kTileRows * g.ldc : 0);
      const bool adds = !chunk.first || g.accumulate;
      t.init = adds ? t.c : g.bias ? g.bias + j : nullptr;
      t.init_ld = adds ? g.ldc : 0;
      (a.by_rows ? find_tile<true>(height, t.columns) : find_tile<false>(height, t.columns))(t);
    }
    if (chunk.last && (g.activation != Activation::none || g.pre_activation))
      activate(g.activation, g.c + row + j0, sums + row + j0, g.ldc, height, j1 - j0);
  }
}

// How many columns of tasks: only as many as it takes to have enough tasks worth their hand-over.
inline int64_t column_tasks(const Gemm& g, int64_t row_tasks, int64_t columns, int64_t depth) {
  const int64_t wished = std::min(ceil_div(kEnoughTasks, row_tasks), g.m * columns * std::max<int64_t>(depth, 1) / (row_tasks * kTaskWork));
  const int64_t narrowest = (g.a.transposed || g.a.fill ? 4 : 2) * kTileColumns;  // a is packed again for each
  return std::clamp<int64_t>(wished, 1, std::max<int64_t>(1, columns / narrowest));
}

// Packs the panels of b from number `first_panel` on, for all tasks of the chunk.
inline void pack_panels(const Gemm& g, int64_t k0, int64_t depth, int64_t j0, int64_t columns, int64_t first_panel, float* packed) {
  const int64_t panels = ceil_div(columns, kTileColumns);
  const int64_t grain = std::max<int64_t>(1, kPackWork / (kTileColumns * std::max<int64_t>(depth, 1)));
  parallel_for(panels - first_panel, grain, [&](int64_t begin, int64_t end) {
    const int64_t right = std::min(columns, (first_panel + end) * kTileColumns);
    int width = 0;
    for (int64_t j = (first_panel + begin) * kTileColumns; j < right; j += width) {
      width = next_columns(right - j);
      pack_b(g.b, k0, depth, j0 + j, width, padded_width(width), packed + j * depth);
    }
  });
}

inline void multiply_chunk(const Chunk& chunk) {
  const Gemm& g = chunk.g;
  const int64_t panels = ceil_div(chunk.columns, kTileColumns), row_tasks = ceil_div(g.m, kRowBlock);
  const int64_t across = column_tasks(g, row_tasks, chunk.columns, chunk.depth), tasks = row_tasks * across;
  const int64_t work = std::max<int64_t>(1, g.m * chunk.columns * std::max<int64_t>(chunk.depth, 1) / tasks);
  parallel_for(tasks, std::max<int64_t>(1, 2 * kTaskWork / work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / across, column = task % across;
      const int64_t left = cut(panels, column, across) * kTileColumns;
      const int64_t right = std::min(chunk.columns, cut(panels, column + 1, across) * kTileColumns);
      multiply_block(chunk, cut(g.m, row, row_tasks), cut(g.m, row + 1, row_tasks), chunk.j0 + left, chunk.j0 + right);
    }
  });
}

// The product over k in [k_begin, k_end).
inline void multiply(const Gemm& g, int64_t k_begin, int64_t k_end) {
  const int64_t k_length = k_end - k_begin, chunks = k_length <= kOneChunk ? 1 : ceil_div(k_length, kDepth);
  const bool direct = !g.b.transposed && !g.b.fill && (g.m <= kDirectRows || g.k * g.n <= kDirectB);
  for (int64_t j0 = 0; j0 < g.n; j0 += kColumns) {
    const int64_t columns = std::min(kColumns, g.n - j0);
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t k0 = k_begin + cut(k_length, c, chunks), depth = k_begin + cut(k_length, c + 1, chunks) - k0;
      Scratch scratch;
      float* packed = scratch.take<float>(ceil_div(columns, kTileColumns) * kTileColumns * depth);
      pack_panels(g, k0, depth, j0, columns, direct ? columns / kTileColumns : 0, packed);
      multiply_chunk({g, k0, depth, j0, columns, packed, direct, c == 0, c == chunks - 1});
    }
  }
}

// Matrix times vector and the like, both operands along k: see gemm_dot.h.
inline bool is_dots(const Gemm& g) {
  const bool b_by_rows = g.b.transposed || (g.n == 1 && g.b.ld == 1);
  return !g.a.transposed && b_by_rows && !g.a.fill && !g.b.fill && (g.m < kDotRows || g.n == 1);
}

inline void multiply_by_dots(const Gemm& g) {
  float* sums = g.pre_activation ? g.pre_activation : g.c;
  const int64_t b_ld = g.b.transposed ? g.b.ld : g.k;
  const bool along_rows = g.m >= g.n;  // tasks are groups of rows of c, or of columns
  const int64_t groups = ceil_div(along_rows ? g.m : g.n, 4), work = 4 * (along_rows ? g.n : g.m) * (g.k + W);
  parallel_for(groups, std::max<int64_t>(1, kTaskWork / 4 / work), [&](int64_t begin, int64_t end) {
    const int64_t i0 = along_rows ? 4 * begin : 0, i1 = along_rows ? std::min(g.m, 4 * end) : g.m;
    const int64_t j0 = along_rows ? 0 : 4 * begin, j1 = along_rows ? g.n : std::min(g.n, 4 * end);
    for (int64_t j = j0; j < j1; j += 4) {
      for (int64_t i = i0; i < i1; i += 4) {
        float* c = sums + i * g.ldc + j;
        const float* init = g.accumulate ? c : g.bias ? g.bias + j : nullptr;
        dot_block({g.a.data + i * g.a.ld, g.a.ld, g.b.data + j * b_ld, b_ld, g.k, init, g.accumulate ? g.ldc : 0, c, g.ldc},
                  int(std::min<int64_t>(4, i1 - i)), int(std::min<int64_t>(4, j1 - j)));
      }
    }
    const int64_t at = i0 * g.ldc + j0;
    if (g.activation != Activation::none || g.pre_activation) activate(g.activation, g.c + at, sums + at, g.ldc, i1 - i0, j1 - j0);
  });
}

inline Operand transposed(Operand x) {
  x.transposed = !x.transposed;
  return x;
}

inline vf gather(const float* from, int64_t distance, int count) {
  float lanes[W] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i * distance];
  return load(lanes);
}

// c = sum over parts of k, each a product of its own; the sum runs in their order.
inline void multiply_in_parts(const Gemm& g, int64_t parts) {
  // A tall narrow c is made as its transpose: then the long operand is read as it lies instead of packed.
  const bool swapped = g.n <= kTileColumns / 2 && g.m >= 2 * g.n && g.a.transposed && !g.b.transposed;
  Scratch scratch;
  float* partial = scratch.take<float>(parts * g.m * g.n);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      Gemm one = g;
      if (swapped) {
        one.m = g.n, one.n = g.m;
        one.a = transposed(g.b), one.b = transposed(g.a);
      }
      one.c = partial + part * g.m * g.n;
      one.ldc = one.n;
      one.bias = nullptr;
      one.accumulate = false;
      one.activation = Activation::none;
      one.pre_activation = nullptr;
      multiply(one, cut(g.k, part, parts), cut(g.k, part + 1, parts));
    }
  });
  float* sums = g.pre_activation ? g.pre_activation : g.c;
  parallel_for(g.m, std::max<int64_t>(1, (1 << 14) / g.n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* to = sums + i * g.ldc;
      const float* init = g.accumulate ? to : g.bias;
      for (int64_t j = 0; j < g.n; j += W) {
        const int lanes = int(std::min<int64_t>(W, g.n - j));
        vf s = init ? load_n(init + j, lanes) : vf{};
        for (int64_t part = 0; part < parts; ++part) {
          const float* from = partial + part * g.m * g.n;
          s += swapped ? gather(from + j * g.m + i, g.m, lanes) : load_n(from + i * g.n + j, lanes);
        }
        store_n(to + j, s, lanes);
      }
    }
    if (g.activation != Activation::none || g.pre_activation)
      activate(g.activation, g.c + begin * g.ldc, sums + begin * g.ldc, g.ldc, end - begin, g.n);
  });
}

void gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const int64_t tasks = ceil_div(g.m, kRowBlock) * ceil_div(g.n, 4 * kTileColumns);
  const int64_t parts = tasks >= kEnoughTasks ? 1 : std::min(g.k / kSplitDepth, std::max<int64_t>(2, kSplitTasks / tasks));
  if (is_dots(g)) multiply_by_dots(g);
  else if (parts > 1) multiply_in_parts(g, parts);
  else multiply(g, 0, g.k);
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void gemm(const Gemm& g) {
  if (g.accumulate && (g.bias || g.pre_activation || g.activation != Activation::none))
    throw KernelError("UAM_ARGUMENT", "an accumulating product takes no bias and no activation");
  UAM_BEST(gemm)(g);
}
}  // namespace uam::cpu
#endif
