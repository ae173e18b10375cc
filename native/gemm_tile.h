// The innermost loop of the matrix product: a tile of ROWS x COLUMNS sums kept in registers while k runs.
// Included once per UAM_ISA by gemm_core.cpp, after simd.h, so no include guard.
namespace uam::cpu::UAM_ISA {

// Rows x (two vectors) of sums, two vectors of b and one of a: as many as there are registers.
#if UAM_ISA_LEVEL == 2
inline constexpr int kTileRows = 14;
#else
inline constexpr int kTileRows = 6;
#endif
inline constexpr int kTileColumns = 2 * W;

struct TileCall {
  const float* a;  // element (i, k) is a[i * a_ld + k] by rows, a[i + k * a_ld] by columns
  int64_t a_ld;
  const float* b;  // element (k, j) is b[k * b_ld + j], readable up to the tile's full width
  int64_t b_ld;
  int64_t depth;
  const float* init;  // where the sums begin: row i at init + i * init_ld; null: at zero
  int64_t init_ld;
  float* c;
  int64_t c_ld;
  const float* soon;  // what to prefetch for writing: c itself, or when k is short the tile below
  int columns;        // columns of c and init that exist, at most the tile's width
};

template <class V> struct Lanes {
  static constexpr int count = W;
  UAM_INLINE static V load(const float* p) { return UAM_ISA::load(p); }
  UAM_INLINE static V load_n(const float* p, int n) { return UAM_ISA::load_n(p, n); }
  UAM_INLINE static void store(float* p, V v) { UAM_ISA::store(p, v); }
  UAM_INLINE static void store_n(float* p, V v, int n) { UAM_ISA::store_n(p, v, n); }
  UAM_INLINE static V broadcast(float x) { return set1(x); }
  UAM_INLINE static V fma(V a, V b, V c) { return UAM_ISA::fma(a, b, c); }
};

#if UAM_ISA_LEVEL == 2
// Half a vector: narrow matrices (8, 36, 40 columns) would waste most of a whole one.
typedef float vh __attribute__((vector_size(32)));
template <> struct Lanes<vh> {
  static constexpr int count = 8;
  UAM_INLINE static vh load(const float* p) { return (vh)_mm256_loadu_ps(p); }
  UAM_INLINE static vh load_n(const float* p, int n) { return (vh)_mm256_maskz_loadu_ps(__mmask8((1u << n) - 1u), p); }
  UAM_INLINE static void store(float* p, vh v) { _mm256_storeu_ps(p, (__m256)v); }
  UAM_INLINE static void store_n(float* p, vh v, int n) { _mm256_mask_storeu_ps(p, __mmask8((1u << n) - 1u), (__m256)v); }
  UAM_INLINE static vh broadcast(float x) { return (vh)_mm256_set1_ps(x); }
  UAM_INLINE static vh fma(vh a, vh b, vh c) { return (vh)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
};
#endif

// How the tile walks over a. By rows, one base pointer serves three rows: with the offsets 0, ld and 2 ld that
// addressing offers, they all stay in registers.
template <int ROWS, bool BY_ROWS> struct Walk {
  static constexpr int bases = BY_ROWS ? (ROWS + 2) / 3 : 1;
  const float* base[bases];
  int64_t ld;

  UAM_INLINE Walk(const float* a, int64_t a_ld) : ld(a_ld) {
#pragma GCC unroll 5
    for (int g = 0; g < bases; ++g) base[g] = a + g * 3 * a_ld;
  }
  // Row i, `ahead` steps of k from here.
  UAM_INLINE float at(int i, int ahead) const { return BY_ROWS ? base[i / 3][(i % 3) * ld + ahead] : base[0][ahead * ld + i]; }
  UAM_INLINE void advance(int steps) {
#pragma GCC unroll 5
    for (int g = 0; g < bases; ++g) base[g] += BY_ROWS ? steps : steps * ld;
  }
};

template <int FOR_WRITING> UAM_INLINE void prefetch(const float* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, FOR_WRITING);
#else
  (void)p;
#endif
}

// One k: every row's element times the row of b. `far` is how much further down b to prefetch.
template <class V, int ROWS, int VECTORS, bool BY_ROWS>
UAM_INLINE void tile_step(V (&sum)[ROWS][VECTORS], const Walk<ROWS, BY_ROWS>& a, int ahead, const float* b, int64_t far) {
  using L = Lanes<V>;
  V row[VECTORS];
#pragma GCC unroll 2
  for (int v = 0; v < VECTORS; ++v) {
    row[v] = L::load(b + v * L::count);
    prefetch<0>(b + v * L::count + far);
  }
#pragma GCC unroll 14
  for (int i = 0; i < ROWS; ++i) {
    const V x = L::broadcast(a.at(i, ahead));
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) sum[i][v] = L::fma(x, row[v], sum[i][v]);
  }
}

template <class V, int ROWS, int VECTORS, bool BY_ROWS> void tile(const TileCall& t) {
  using L = Lanes<V>;
  constexpr int width = L::count;
  const int last = t.columns - width * (VECTORS - 1);  // lanes of the last vector that exist
  V sum[ROWS][VECTORS];
#pragma GCC unroll 14
  for (int i = 0; i < ROWS; ++i) {
    const float* from = t.init ? t.init + i * t.init_ld : nullptr;
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      if (!from) sum[i][v] = V{};
      else if (v < VECTORS - 1 || last == width) sum[i][v] = L::load(from + v * width);
      else sum[i][v] = L::load_n(from + v * width, last);
    }
  }

  for (int i = 0; i < ROWS; ++i)
    for (int j = 0; j < width * VECTORS; j += 16) prefetch<1>(t.soon + i * t.c_ld + j);
  Walk<ROWS, BY_ROWS> a(t.a, t.a_ld);
  const float* b = t.b;
  const int64_t b_ld = t.b_ld, far = 12 * b_ld;  // far enough for memory that lies a row apart
  int64_t k = 0;
  for (; k + 4 <= t.depth; k += 4) {
#pragma GCC unroll 4
    for (int ahead = 0; ahead < 4; ++ahead) {
      tile_step<V, ROWS, VECTORS, BY_ROWS>(sum, a, BY_ROWS ? ahead : 0, b, far);
      b += b_ld;
      if (!BY_ROWS) a.advance(1);
    }
    if (BY_ROWS) a.advance(4);
  }
  for (; k < t.depth; ++k) {
    tile_step<V, ROWS, VECTORS, BY_ROWS>(sum, a, 0, b, far);
    b += b_ld;
    a.advance(1);
  }

#pragma GCC unroll 14
  for (int i = 0; i < ROWS; ++i) {
    float* to = t.c + i * t.c_ld;
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      if (v < VECTORS - 1 || last == width) L::store(to + v * width, sum[i][v]);
      else L::store_n(to + v * width, sum[i][v], last);
    }
  }
}

// Widths: a full tile, and for what remains at the right edge a vector or half a one.
inline int next_columns(int64_t remaining) {
  if (remaining >= kTileColumns) return kTileColumns;
#if UAM_ISA_LEVEL == 2
  if (remaining > 16 && remaining <= 24) return 16;
#endif
  return int(remaining);
}
inline int padded_width(int columns) {
#if UAM_ISA_LEVEL == 2
  if (columns <= 8) return 8;
#endif
  return columns <= W ? W : kTileColumns;
}

using TileFn = void (*)(const TileCall&);

template <class V, int VECTORS, bool BY_ROWS, int... I> TileFn tile_of_height(int rows, std::integer_sequence<int, I...>) {
  static constexpr TileFn table[] = {&tile<V, I + 1, VECTORS, BY_ROWS>...};
  return table[rows - 1];
}

template <bool BY_ROWS> TileFn find_tile(int rows, int columns) {
  constexpr std::make_integer_sequence<int, kTileRows> heights;
#if UAM_ISA_LEVEL == 2
  if (columns <= 8) return tile_of_height<vh, 1, BY_ROWS>(rows, heights);
#endif
  if (columns <= W) return tile_of_height<vf, 1, BY_ROWS>(rows, heights);
  return tile_of_height<vf, 2, BY_ROWS>(rows, heights);
}

}  // namespace uam::cpu::UAM_ISA
