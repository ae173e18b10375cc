// Copies of the operands in the order in which the tiles read them, padded with zeros to the tile's width.
// Included once per UAM_ISA by gemm_core.cpp, after gemm_tile.h, so no include guard.
namespace uam::cpu::UAM_ISA {

#if defined(__GNUC__)
// Lanes of a and b in turn: from their first halves (FIRST = 0) or their second (FIRST = W / 2).
template <int FIRST, int... I> UAM_INLINE vf interleave(vf a, vf b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (FIRST + I / 2 + I % 2 * W)...);
}

// Transposes W vectors in log2(W) rounds, each of which deals the first half of them into the second.
UAM_INLINE void transpose(vf (&x)[W]) {
  constexpr std::make_integer_sequence<int, W> lanes;
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
    vf y[W];
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; ++i) {
      y[2 * i] = interleave<0>(x[i], x[i + W / 2], lanes);
      y[2 * i + 1] = interleave<W / 2>(x[i], x[i + W / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) x[i] = y[i];
  }
}
#else
UAM_INLINE void transpose(vf (&)[W]) {}
#endif

// out[k * width + j] = from[j * ld + k] for columns x depth; the columns up to width are zero.
inline void pack_transposed(const float* from, int64_t ld, int64_t depth, int columns, int width, float* out) {
  for (int j = 0; j < width; j += W) {
    const int lanes = width - j < W ? width - j : W;
    for (int64_t k = 0; k < depth; k += W) {
      const int steps = depth - k < W ? int(depth - k) : W;
      vf x[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i)
        x[i] = j + i >= columns ? vf{} : steps == W ? load(from + (j + i) * ld + k) : load_n(from + (j + i) * ld + k, steps);
      transpose(x);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        if (i >= steps) continue;
        if (lanes == W) store(out + (k + i) * width + j, x[i]);
        else store_n(out + (k + i) * width + j, x[i], lanes);
      }
    }
  }
}

// out[k * width + j] = op(b)(k0 + k, j0 + j) for depth x columns; the columns up to width are zero.
inline void pack_b(const Operand& b, int64_t k0, int64_t depth, int64_t j0, int columns, int width, float* out) {
  if (b.transposed && b.fill) {
    Scratch scratch;
    float* block = scratch.take<float>(columns * depth);
    b.fill(b.context, j0, columns, k0, depth, block, depth);
    return pack_transposed(block, depth, depth, columns, width, out);
  }
  if (b.transposed) return pack_transposed(b.data + j0 * b.ld + k0, b.ld, depth, columns, width, out);
  if (b.fill) {
    b.fill(b.context, k0, depth, j0, columns, out, width);
    for (int64_t k = 0; k < depth; ++k)
      for (int j = columns; j < width; ++j) out[k * width + j] = 0.f;
    return;
  }
  const float* from = b.data + k0 * b.ld + j0;
  if (columns == kTileColumns) {
    for (int64_t k = 0; k < depth; ++k, from += b.ld, out += kTileColumns) {
      store(out, load(from));
      store(out + W, load(from + W));
    }
    return;
  }
  for (int64_t k = 0; k < depth; ++k, from += b.ld, out += width) {
    int j = 0;
    for (; j < columns; ++j) out[j] = from[j];
    for (; j < width; ++j) out[j] = 0.f;
  }
}

// Rows of a tile of a transposed a, padded so that each copy is whole vectors and stays within its cache lines.
inline constexpr int kPaddedRows = (kTileRows + W - 1) / W * W;

// Rows [i0, i0 + rows) of a transposed a, of m: out[k * kPaddedRows + i] = stored(k0 + k, i0 + i).
// What the padding holds is never used.
inline void pack_a_by_columns(const Operand& a, int64_t m, int64_t i0, int rows, int64_t k0, int64_t depth, float* out) {
  if (a.fill) return a.fill(a.context, k0, depth, i0, rows, out, kPaddedRows);
  const float* from = a.data + k0 * a.ld + i0;
  const bool whole = i0 + kPaddedRows <= m;
  for (int64_t k = 0; k < depth; ++k, from += a.ld, out += kPaddedRows) {
#pragma GCC unroll 2
    for (int i = 0; i < kPaddedRows; i += W) {
      if (whole) store(out + i, load(from + i));
      else if (i < rows) store(out + i, load_n(from + i, rows - i < W ? rows - i : W));
    }
  }
}

// Rows as they lie, at a distance that is never a power of two: such rows would compete for the same cache lines.
inline int64_t row_distance(int64_t depth) { return (depth + W - 1) / W * W + W; }
inline void pack_a_by_rows(const Operand& a, int64_t i0, int64_t rows, int64_t k0, int64_t depth, float* out) {
  const int64_t ld = row_distance(depth);
  if (a.fill) return a.fill(a.context, i0, rows, k0, depth, out, ld);
  for (int64_t i = 0; i < rows; ++i) std::memcpy(out + i * ld, a.data + (i0 + i) * a.ld + k0, size_t(depth) * sizeof(float));
}

}  // namespace uam::cpu::UAM_ISA
