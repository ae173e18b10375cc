// The inner loops that attention forward and backward share, for one instruction set (included once per UAM_ISA
// after simd.h, so no include guard): small matrix products, transposing copies, exp, sums of rows.
//
// Scores are kept transposed, [keys, queries]: queries are the lanes of a vector, so the maximum and the sum over
// keys need no reduction across lanes, and masks over keys act on whole rows.
namespace uam::cpu::UAM_ISA::attention {

// Accumulators held in registers: kRows x kColumns vectors, beside kColumns of B and one broadcast of A.
#if UAM_ISA_LEVEL == 2
inline constexpr int kRows = 8, kColumns = 2;
#elif UAM_ISA_LEVEL == 1
inline constexpr int kRows = 4, kColumns = 3;
#elif defined(__GNUC__)
inline constexpr int kRows = 4, kColumns = 2;
#else
inline constexpr int kRows = 1, kColumns = 1;
#endif
static_assert(W % kRows == 0, "padding to vectors also pads to tiles");

UAM_INLINE int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

enum class Start { zero, add, rescale };  // C = AB, C + AB, C * factor + AB (one factor per lane)
enum class Rows { plain, transposed };    // A[i, k] at a[i * lda + k], or at a[k * lda + i]

// C[kRows, N vectors] from A[kRows, depth] and B[depth, N vectors].
template <int N, Rows kLayout, Start kStart>
UAM_INLINE void multiply_tile(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t depth, const vf* factor) {
  vf sum[kRows][N];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
    for (int n = 0; n < N; ++n) {
      if constexpr (kStart == Start::zero) sum[i][n] = set1(0.f);
      else if constexpr (kStart == Start::add) sum[i][n] = load(c + i * ldc + n * W);
      else sum[i][n] = load(c + i * ldc + n * W) * factor[n];
    }
  for (int64_t k = 0; k < depth; ++k) {
    vf row[N];
#pragma GCC unroll 3
    for (int n = 0; n < N; ++n) row[n] = load(b + k * ldb + n * W);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const vf x = set1(kLayout == Rows::plain ? a[i * lda + k] : a[k * lda + i]);
#pragma GCC unroll 3
      for (int n = 0; n < N; ++n) sum[i][n] = fma(x, row[n], sum[i][n]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
    for (int n = 0; n < N; ++n) store(c + i * ldc + n * W, sum[i][n]);
}

// The same for any number of rows; A and C must be padded to a multiple of kRows.
template <int N, Rows kLayout, Start kStart>
inline void multiply_strip(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t depth,
                           const vf* factor = nullptr) {
  for (int64_t i = 0; i < rows; i += kRows)
    multiply_tile<N, kLayout, kStart>(a + (kLayout == Rows::plain ? i * lda : i), lda, b, ldb, c + i * ldc, ldc, depth, factor);
}

// Calls body.operator()<N>(first vector) for strips of N <= kColumns vectors, as even as they can be: a strip of one vector
// leaves most of the registers idle.
template <class Body> UAM_INLINE void for_strips(int64_t vectors, Body&& body) {
  int64_t n = 0;
  for (int64_t strips = (vectors + kColumns - 1) / kColumns; strips > 0; --strips) {
    const int64_t width = (vectors - n + strips - 1) / strips;
    if constexpr (kColumns >= 3)
      if (width == 3) body.template operator()<3>(n);
    if constexpr (kColumns >= 2)
      if (width == 2) body.template operator()<2>(n);
    if (width == 1) body.template operator()<1>(n);
    n += width;
  }
}

// The same for any number of columns (in vectors).
template <Rows kLayout, Start kStart>
inline void multiply(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t vectors, int64_t depth) {
  for_strips(vectors, [&]<int N>(int64_t n) {
    multiply_strip<N, kLayout, kStart>(a, lda, b + n * W, ldb, c + n * W, ldc, rows, depth);
  });
}

// e^x for x <= 0 (a little above does no harm); e^-inf is exactly 0 and NaN stays NaN.
UAM_INLINE vf exp_negative(vf x) {
  const vf t = max_of(set1(UAM_ISA_LEVEL == 2 ? -160.f : -127.f), x * set1(1.44269502f));
  const vf r = nearest(t);
#if UAM_ISA_LEVEL == 2
  return scale2(exp2_fraction(t - r), r);
#else
  return exp2_fraction(t - r) * floats((to_int(r) + 127) << 23);  // r = -127 gives the bits of zero
#endif
}

#if defined(__GNUC__)
// Lane i of (a, b) at index I[i]; indices from W on mean b.
template <class F, size_t... I> UAM_INLINE vf shuffle(vf a, vf b, F, std::index_sequence<I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, F::index(int(I))...);
#else
  return __builtin_shuffle(a, b, vi{F::index(int(I))...});
#endif
}
template <int H> struct LowHalves { static constexpr int index(int i) { return i & H ? W + (i ^ H) : i; } };
template <int H> struct HighHalves { static constexpr int index(int i) { return i & H ? W + i : i ^ H; } };
template <int H> UAM_INLINE vf low_halves(vf a, vf b) { return shuffle(a, b, LowHalves<H>{}, std::make_index_sequence<W>{}); }
template <int H> UAM_INLINE vf high_halves(vf a, vf b) { return shuffle(a, b, HighHalves<H>{}, std::make_index_sequence<W>{}); }

// One step swaps bit H of the row number with bit H of the lane number; all steps together transpose.
template <int H> UAM_INLINE void transpose_step(vf (&m)[W]) {
  if constexpr (H < W) {
#pragma GCC unroll 16
    for (int r = 0; r < W; ++r)
      if (!(r & H)) {
        const vf a = m[r], b = m[r | H];
        m[r] = low_halves<H>(a, b);
        m[r | H] = high_halves<H>(a, b);
      }
    transpose_step<2 * H>(m);
  }
}

// Lane r of the result is the sum of row r.
template <int H> UAM_INLINE vf sum_rows_step(vf (&m)[W]) {
  if constexpr (H == 0) {
    return m[0];
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < H; ++r) m[r] = low_halves<H>(m[r], m[r + H]) + high_halves<H>(m[r], m[r + H]);
    return sum_rows_step<H / 2>(m);
  }
}
UAM_INLINE void transpose(vf (&m)[W]) { transpose_step<1>(m); }
UAM_INLINE vf sum_rows(vf (&m)[W]) { return sum_rows_step<W / 2>(m); }
#else
UAM_INLINE void transpose(vf (&)[W]) {}
UAM_INLINE vf sum_rows(vf (&m)[W]) { return m[0]; }
#endif

UAM_INLINE int at_most_a_vector(int64_t n) { return n >= W ? W : n > 0 ? int(n) : 0; }

// Row j: `width` floats of from(j) times factor, then zeros up to `padded`. Columns are the outer loop: the inner one is
// short, so the processor has many rows under way at once.
template <class From, class To> UAM_INLINE void copy_rows(int64_t count, int64_t width, int64_t padded, float factor, From&& from, To&& to) {
  for (int64_t c = 0; c < padded; c += W) {
    const int here = at_most_a_vector(padded - c), given = at_most_a_vector(width - c);
    if (given == W)
      for (int64_t j = 0; j < count; ++j) store(to(j) + c, load(from(j) + c) * set1(factor));
    else
      for (int64_t j = 0; j < count; ++j) store_n(to(j) + c, load_n(from(j) + c, given) * set1(factor), here);
  }
}

// to[c, r] = from[r, c] * factor for r < rows, c < width; zeros for the rows up to a multiple of W.
inline void copy_transposed(const float* from, int64_t stride, int64_t rows, int64_t width, float factor, float* to, int64_t ld) {
  for (int64_t r0 = 0; r0 < rows; r0 += W)
    for (int64_t c0 = 0; c0 < width; c0 += W) {
      const float* corner = from + r0 * stride + c0;
      const int given = at_most_a_vector(rows - r0), columns = at_most_a_vector(width - c0);
      vf m[W];
      if (given == W && columns == W) {
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) m[r] = load(corner + r * stride) * set1(factor);
      } else {
        for (int r = 0; r < W; ++r) m[r] = r < given ? load_n(corner + r * stride, columns) * set1(factor) : set1(0.f);
      }
      transpose(m);
      float* target = to + c0 * ld + r0;
      if (columns == W) {
#pragma GCC unroll 16
        for (int c = 0; c < W; ++c) store(target + c * ld, m[c]);
      } else {
        for (int c = 0; c < columns; ++c) store(target + c * ld, m[c]);
      }
    }
}

// to[r, c] = from[c, r] * factor[r] for r < rows, c < width: the way back.
inline void copy_transposed_back(const float* from, int64_t ld, int64_t rows, int64_t width, const float* factor, float* to, int64_t stride) {
  for (int64_t r0 = 0; r0 < rows; r0 += W)
    for (int64_t c0 = 0; c0 < width; c0 += W) {
      const int wanted = at_most_a_vector(rows - r0), columns = at_most_a_vector(width - c0);
      const vf f = load(factor + r0);
      const float* corner = from + c0 * ld + r0;
      float* target = to + r0 * stride + c0;
      vf m[W];
      if (wanted == W && columns == W) {
#pragma GCC unroll 16
        for (int c = 0; c < W; ++c) m[c] = load(corner + c * ld) * f;
        transpose(m);
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) store(target + r * stride, m[r]);
      } else {
        for (int c = 0; c < W; ++c) m[c] = c < columns ? load(corner + c * ld) * f : set1(0.f);
        transpose(m);
        for (int r = 0; r < wanted; ++r) store_n(target + r * stride, m[r], columns);
      }
    }
}

}  // namespace uam::cpu::UAM_ISA::attention
