// Products of few rows with the rows of b (matrix times vector): each entry of c is a dot product along k, and packing
// b would cost more than the product. Included once per UAM_ISA by gemm_core.cpp, after simd.h, so no include guard.
namespace uam::cpu::UAM_ISA {

// c[i][j] = init[i][j] + sum over k of a[i * a_ld + k] b[j * b_ld + k] for ROWS x COLUMNS.
struct DotCall {
  const float* a;
  int64_t a_ld;
  const float* b;
  int64_t b_ld;
  int64_t k;
  const float* init;  // null: zero
  int64_t init_ld;
  float* c;
  int64_t c_ld;
};

#if defined(__GNUC__)
template <int HALF, int... I> UAM_INLINE vf add_halves(vf v, std::integer_sequence<int, I...>) {
  return v + __builtin_shufflevector(v, v, (I ^ HALF)...);
}

// sum() of vec.h, bit for bit, without a way through memory: a dot product of short rows is mostly its end.
UAM_INLINE float total(vf v) {
  constexpr std::make_integer_sequence<int, W> lanes;
  if constexpr (W == 16) v = add_halves<8>(v, lanes);
  if constexpr (W >= 8) v = add_halves<4>(v, lanes);
  return add_halves<1>(add_halves<2>(v, lanes), lanes)[0];
}
#else
UAM_INLINE float total(vf v) { return v; }
#endif

template <int ROWS, int COLUMNS> void dots(const DotCall& t) {
  vf sums[ROWS][COLUMNS] = {};
  const auto step = [&](auto&& read) {
    vf a[ROWS], b[COLUMNS];
#pragma GCC unroll 4
    for (int i = 0; i < ROWS; ++i) a[i] = read(t.a + i * t.a_ld);
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; ++j) b[j] = read(t.b + j * t.b_ld);
#pragma GCC unroll 4
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < COLUMNS; ++j) sums[i][j] = fma(a[i], b[j], sums[i][j]);
  };
  int64_t k = 0;
  for (; k + W <= t.k; k += W) step([k](const float* p) { return load(p + k); });
  if (k < t.k) step([k, rest = int(t.k - k)](const float* p) { return load_n(p + k, rest); });
#pragma GCC unroll 4
  for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; ++j) t.c[i * t.c_ld + j] = total(sums[i][j]) + (t.init ? t.init[i * t.init_ld + j] : 0.f);
}

inline void dot_block(const DotCall& t, int rows, int columns) {
  using DotFn = void (*)(const DotCall&);
  static constexpr DotFn table[4][4] = {
      {&dots<1, 1>, &dots<1, 2>, &dots<1, 3>, &dots<1, 4>},
      {&dots<2, 1>, &dots<2, 2>, &dots<2, 3>, &dots<2, 4>},
      {&dots<3, 1>, &dots<3, 2>, &dots<3, 3>, &dots<3, 4>},
      {&dots<4, 1>, &dots<4, 2>, &dots<4, 3>, &dots<4, 4>},
  };
  table[rows - 1][columns - 1](t);
}

}  // namespace uam::cpu::UAM_ISA
