// Copies of the operands in the order in which the tiles read them, padded with zeros to the tile's width.
// Included once per UAM_ISA by gemm_core.cpp, after gemm_tile.h, so no include guard.
namespace uam::cpu::UAM_ISA {

// out[k * width + j] = op(b)(k0 + k, j0 + j) for depth x columns; the columns up to width are zero.
inline void pack_b(const Operand& b, int64_t k0, int64_t depth, int64_t j0, int columns, int width, float* out) {
  if (b.transposed) {
    const float* rows = b.data;
    int64_t ld = b.ld, first_row = j0, first_column = k0;
    Scratch scratch;
    if (b.fill) {
      ld = depth;
      float* block = scratch.take<float>(columns * depth);
      b.fill(b.context, j0, columns, k0, depth, block, ld);
      rows = block;
      first_row = first_column = 0;
    }
    rows += first_row * ld + first_column;
    for (int64_t k = 0; k < depth; ++k) {
      for (int j = 0; j < columns; ++j) out[k * width + j] = rows[j * ld + k];
      for (int j = columns; j < width; ++j) out[k * width + j] = 0.f;
    }
    return;
  }
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

// Rows [i0, i0 + rows) of a transposed a: out[k * rows + i] = stored(k0 + k, i0 + i).
inline void pack_a_by_columns(const Operand& a, int64_t i0, int rows, int64_t k0, int64_t depth, float* out) {
  if (a.fill) return a.fill(a.context, k0, depth, i0, rows, out, rows);
  const float* from = a.data + k0 * a.ld + i0;
  for (int64_t k = 0; k < depth; ++k, from += a.ld, out += rows) {
    int i = 0;
    for (; i + W <= rows; i += W) store(out + i, load(from + i));
    if (i < rows) store_n(out + i, load_n(from + i, rows - i), rows - i);
  }
}

}  // namespace uam::cpu::UAM_ISA
