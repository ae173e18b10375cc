// Rows in lanes: W rows of a [rows, columns] array, turned so that column c of all of them is one vector. What is a
// reduction within a row (a maximum, a sum, the best expert) is then a plain loop over columns, at full width however
// short the rows are. Included like vec.h, once per instruction set and after it, so no include guard.
namespace uam::cpu::UAM_ISA {

// All ones in the first n lanes (0..W), zero in the others.
UAM_INLINE vi lane_mask(int n) {
  int32_t lanes[W];
  for (int r = 0; r < W; ++r) lanes[r] = r < n ? -1 : 0;
  return loadi(lanes);
}

#if defined(__GNUC__)
typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_lanes __attribute__((vector_size(16)));
typedef float quad_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

// to[j * to_stride + i] = from[i * from_stride + j] for i, j in 0..3
UAM_INLINE void turn_4x4(float* to, int64_t to_stride, const float* from, int64_t from_stride) {
  quad row[4];
  for (int i = 0; i < 4; ++i) row[i] = *reinterpret_cast<const quad_unaligned*>(from + i * from_stride);
  const quad low01 = __builtin_shuffle(row[0], row[1], quad_lanes{0, 4, 1, 5}),
             high01 = __builtin_shuffle(row[0], row[1], quad_lanes{2, 6, 3, 7});
  const quad low23 = __builtin_shuffle(row[2], row[3], quad_lanes{0, 4, 1, 5}),
             high23 = __builtin_shuffle(row[2], row[3], quad_lanes{2, 6, 3, 7});
  row[0] = __builtin_shuffle(low01, low23, quad_lanes{0, 1, 4, 5});
  row[1] = __builtin_shuffle(low01, low23, quad_lanes{2, 3, 6, 7});
  row[2] = __builtin_shuffle(high01, high23, quad_lanes{0, 1, 4, 5});
  row[3] = __builtin_shuffle(high01, high23, quad_lanes{2, 3, 6, 7});
  for (int j = 0; j < 4; ++j) *reinterpret_cast<quad_unaligned*>(to + j * to_stride) = row[j];
}
#endif

// tile[c * W + r] = x[r * columns + c]; lanes from `rows` (1..W) on are zero. tile holds columns * W floats.
inline void load_rows(float* tile, const float* x, int64_t columns, int rows) {
  int64_t c = 0;
#if defined(__GNUC__)
  for (; rows == W && c + 4 <= columns; c += 4)
    for (int r = 0; r < W; r += 4) turn_4x4(tile + c * W + r, W, x + r * columns + c, columns);
#endif
  for (; c < columns; ++c)
    for (int r = 0; r < W; ++r) tile[c * W + r] = r < rows ? x[r * columns + c] : 0.f;
}

// x[r * columns + c] = tile[c * W + r] for the first `rows` lanes.
inline void store_rows(float* x, const float* tile, int64_t columns, int rows) {
  int64_t c = 0;
#if defined(__GNUC__)
  for (; rows == W && c + 4 <= columns; c += 4)
    for (int r = 0; r < W; r += 4) turn_4x4(x + r * columns + c, columns, tile + c * W + r, W);
#endif
  for (; c < columns; ++c)
    for (int r = 0; r < rows; ++r) x[r * columns + c] = tile[c * W + r];
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
