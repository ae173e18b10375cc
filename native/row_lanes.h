// Rows in lanes: W rows of a [rows, columns] array, turned so that column c of all of them is one vector. What is a
// reduction within a row (a maximum, a sum, the best expert) is then a plain loop over columns, at full width however
// short the rows are. Included like vec.h, once per instruction set and after it, so no include guard.
namespace uam::cpu::UAM_ISA {

// tile[c * W + r] = x[r * columns + c]; lanes from `rows` (1..W) on are zero. tile holds columns * W floats.
inline void load_rows(float* tile, const float* x, int64_t columns, int rows) {
  if (rows == W) {
    for (int64_t c = 0; c < columns; ++c)
      for (int r = 0; r < W; ++r) tile[c * W + r] = x[r * columns + c];
    return;
  }
  for (int64_t c = 0; c < columns; ++c)
    for (int r = 0; r < W; ++r) tile[c * W + r] = r < rows ? x[r * columns + c] : 0.f;
}

// x[r * columns + c] = tile[c * W + r] for the first `rows` lanes.
inline void store_rows(float* x, const float* tile, int64_t columns, int rows) {
  for (int r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) x[r * columns + c] = tile[c * W + r];
}

// Replaces tile by exp(tile - m), m being the maximum over columns, and returns the sums over columns: the softmax is
// tile / sums, the logarithm of the summed exponentials m + log(sums). A NaN in a row ends in that row's sum.
UAM_INLINE vf exponentials(float* tile, int64_t columns, vf& maximum) {
  vf m = load(tile);
  for (int64_t c = 1; c < columns; ++c) m = max_of(m, load(tile + c * W));
  vf s = set1(0.f);
  for (int64_t c = 0; c < columns; ++c) {
    const vf e = exp(load(tile + c * W) - m);
    store(tile + c * W, e);
    s += e;
  }
  maximum = m;
  return s;
}

}  // namespace uam::cpu::UAM_ISA
