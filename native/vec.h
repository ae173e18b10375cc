// Vectors of W floats for one instruction set. Included once per UAM_ISA (see simd.h), so no include guard.
// Arithmetic and comparisons are the operators of GCC's vector types; what they lack stands here. With a compiler
// that has no such types a vector is one float and every loop still runs.
//
// Conventions: load and store need no alignment. load_n and store_n touch only the first n (0..W) elements;
// load_n fills the rest with zero. sum and highest reduce in a fixed order. NaN propagates through every function.
namespace uam::cpu::UAM_ISA {

#if UAM_ISA_LEVEL == 2
inline constexpr int W = 16;
#elif UAM_ISA_LEVEL == 1
inline constexpr int W = 8;
#elif defined(__GNUC__)
inline constexpr int W = 4;
#else
inline constexpr int W = 1;
#endif

#if defined(__GNUC__)
typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef float vf_unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t vi_unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));
#define UAM_INLINE inline __attribute__((always_inline))

UAM_INLINE vf set1(float x) { return x - vf{}; }
UAM_INLINE vi set1i(int32_t x) { return x - vi{}; }
UAM_INLINE vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
UAM_INLINE void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
UAM_INLINE vi loadi(const int32_t* p) { return *reinterpret_cast<const vi_unaligned*>(p); }
UAM_INLINE void storei(int32_t* p, vi v) { *reinterpret_cast<vi_unaligned*>(p) = v; }
UAM_INLINE vi bits(vf v) { return (vi)v; }
UAM_INLINE vf floats(vi v) { return (vf)v; }
UAM_INLINE vf select(vi mask, vf yes, vf no) { return mask ? yes : no; }
UAM_INLINE vf to_float(vi v) { return __builtin_convertvector(v, vf); }
UAM_INLINE vi to_int(vf v) { return __builtin_convertvector(v, vi); }  // truncates
#else
using vf = float;
using vi = int32_t;
#define UAM_INLINE inline
UAM_INLINE vf set1(float x) { return x; }
UAM_INLINE vi set1i(int32_t x) { return x; }
UAM_INLINE vf load(const float* p) { return *p; }
UAM_INLINE void store(float* p, vf v) { *p = v; }
UAM_INLINE vi loadi(const int32_t* p) { return *p; }
UAM_INLINE void storei(int32_t* p, vi v) { *p = v; }
UAM_INLINE vi bits(vf v) {
  vi i;
  std::memcpy(&i, &v, 4);
  return i;
}
UAM_INLINE vf floats(vi v) {
  vf f;
  std::memcpy(&f, &v, 4);
  return f;
}
UAM_INLINE vf select(bool mask, vf yes, vf no) { return mask ? yes : no; }
UAM_INLINE vf to_float(vi v) { return float(v); }
UAM_INLINE vi to_int(vf v) { return int32_t(v); }
#endif

#if UAM_ISA_LEVEL == 2
UAM_INLINE __mmask16 first(int n) { return __mmask16((1u << n) - 1u); }
UAM_INLINE vf load_n(const float* p, int n) { return (vf)_mm512_maskz_loadu_ps(first(n), p); }
UAM_INLINE void store_n(float* p, vf v, int n) { _mm512_mask_storeu_ps(p, first(n), (__m512)v); }
UAM_INLINE vf fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
// a - b * c
UAM_INLINE vf fnma(vf b, vf c, vf a) { return (vf)_mm512_fnmadd_ps((__m512)b, (__m512)c, (__m512)a); }
UAM_INLINE vf nearest(vf v) { return (vf)_mm512_roundscale_ps((__m512)v, 8); }
UAM_INLINE vf sqrt(vf v) { return (vf)_mm512_sqrt_ps((__m512)v); }
// The second operand where either is NaN.
UAM_INLINE vf max_of(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
UAM_INLINE vf min_of(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
// p * 2^r for integral r, exact into the denormals and up to infinity.
UAM_INLINE vf scale2(vf p, vf r) { return (vf)_mm512_scalef_ps((__m512)p, (__m512)r); }
#elif UAM_ISA_LEVEL == 1
UAM_INLINE __m256i first(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
UAM_INLINE vf load_n(const float* p, int n) { return (vf)_mm256_maskload_ps(p, first(n)); }
UAM_INLINE void store_n(float* p, vf v, int n) { _mm256_maskstore_ps(p, first(n), (__m256)v); }
UAM_INLINE vf fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
UAM_INLINE vf fnma(vf b, vf c, vf a) { return (vf)_mm256_fnmadd_ps((__m256)b, (__m256)c, (__m256)a); }
UAM_INLINE vf nearest(vf v) { return (vf)_mm256_round_ps((__m256)v, 8); }
UAM_INLINE vf sqrt(vf v) { return (vf)_mm256_sqrt_ps((__m256)v); }
UAM_INLINE vf max_of(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
UAM_INLINE vf min_of(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
#else
UAM_INLINE vf load_n(const float* p, int n) {
  float lanes[W] = {};
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
UAM_INLINE void store_n(float* p, vf v, int n) {
  float lanes[W];
  store(lanes, v);
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
}
UAM_INLINE vf fma(vf a, vf b, vf c) { return a * b + c; }
UAM_INLINE vf fnma(vf b, vf c, vf a) { return a - b * c; }
UAM_INLINE vf nearest(vf v) {  // |v| < 2^22 here; larger values and NaN are whole already
  const vf magic = set1(12582912.f);
  const vf rounded = (v + magic) - magic;
  return select((v < set1(4194304.f)) & (v > set1(-4194304.f)), rounded, v);
}
UAM_INLINE vf sqrt(vf v) {
  float lanes[W];
  store(lanes, v);
  for (int i = 0; i < W; ++i) lanes[i] = std::sqrt(lanes[i]);
  return load(lanes);
}
UAM_INLINE vf max_of(vf a, vf b) { return select(a > b, a, b); }
UAM_INLINE vf min_of(vf a, vf b) { return select(a < b, a, b); }
#endif

#if UAM_ISA_LEVEL < 2
UAM_INLINE vf scale2(vf p, vf r) {  // in two steps, so that both ends of the range are reached
  const vi whole = to_int(min_of(set1(300.f), max_of(set1(-300.f), r)));
  const vi half = whole >> 1;
  return p * floats((half + 127) << 23) * floats((whole - half + 127) << 23);
}
#endif

// load_n and store_n for a count that is mostly W: whole vectors are quicker everywhere, and masked stores are slow on some.
UAM_INLINE vf load_up_to(const float* p, int n) { return n == W ? load(p) : load_n(p, n); }
UAM_INLINE void store_up_to(float* p, vf v, int n) {
  if (n == W) store(p, v);
  else store_n(p, v, n);
}

UAM_INLINE vf abs(vf v) { return floats(bits(v) & set1i(0x7fffffff)); }

// Sum of the lanes, halves first: the same tree whatever came before. Spelled out for registers: as a loop over memory each step waits
// for the store of the one before.
#if UAM_ISA_LEVEL > 0
UAM_INLINE float sum(vf v) {
#if UAM_ISA_LEVEL == 2
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#else
  const __m256 eight = (__m256)v;
#endif
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
#else
UAM_INLINE float sum(vf v) {
  float lanes[W];
  store(lanes, v);
  for (int half = W / 2; half >= 1; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
#endif

// The greatest lane; NaN if any lane is NaN.
UAM_INLINE float highest(vf v) {
  float lanes[W];
  store(lanes, v);
  float best = lanes[0];
  for (int i = 1; i < W; ++i) best = (lanes[i] > best || lanes[i] != lanes[i]) ? lanes[i] : best;
  return best;
}

// 2^f on [-1/2, 1/2]: minimax of degree 5 with constant term 1, relative error 9.1e-8 (1.6e-7 in float32).
UAM_INLINE vf exp2_fraction(vf f) {
  vf p = set1(0.001326472731307149f);
  p = fma(p, f, set1(0.009671512991189957f));
  p = fma(p, f, set1(0.05550733581185341f));
  p = fma(p, f, set1(0.24022242426872253f));
  p = fma(p, f, set1(0.6931470036506653f));
  return fma(p, f, set1(1.f));
}

UAM_INLINE vf exp2(vf t) {
  t = max_of(set1(-160.f), min_of(set1(160.f), t));
  const vf r = nearest(t);
  return scale2(exp2_fraction(t - r), r);
}

UAM_INLINE vf exp(vf x) {
  // x = r ln 2 + f; ln 2 in two parts, the first short enough for r * high to be exact
  const vf log2e = set1(1.44269502f), ln2_high = set1(0.693359375f), ln2_low = set1(-2.12194440e-4f);
  x = max_of(set1(-110.f), min_of(set1(110.f), x));
  const vf r = nearest(x * log2e);
  const vf f = fnma(r, ln2_low, fnma(r, ln2_high, x));
  return scale2(exp2_fraction(f * log2e), r);
}

// log(1 + m) for m in [sqrt(1/2) - 1, sqrt(2) - 1], relative error 5.8e-9 before rounding.
UAM_INLINE vf log1p_small(vf m) {
  vf p = set1(-0.07634501159191132f);
  p = fma(p, m, set1(0.1276158094406128f));
  p = fma(p, m, set1(-0.13160182535648346f));
  p = fma(p, m, set1(0.14201757311820984f));
  p = fma(p, m, set1(-0.16623356938362122f));
  p = fma(p, m, set1(0.20001226663589478f));
  p = fma(p, m, set1(-0.2500081956386566f));
  p = fma(p, m, set1(0.3333333134651184f));
  const vf m2 = m * m;
  return fma(p * m, m2, fma(set1(-0.5f), m2, m));
}

// Natural logarithm; log(0) = -inf, negative -> NaN, denormals are exact.
UAM_INLINE vf log(vf x) {
  const vf tiny = set1(1.17549435e-38f);
  const vf scaled = select(x < tiny, x * set1(8388608.f), x);
  const vf shift = select(x < tiny, set1(-23.f), set1(0.f));
  // So that the mantissa lies in [sqrt(1/2), sqrt(2)). Without its sign bit the difference cannot overflow.
  const vi i = (bits(scaled) & set1i(0x7fffffff)) - set1i(0x3f3504f3);
  const vf e = to_float(i >> 23) + shift;
  const vf m = floats((i & set1i(0x007fffff)) + set1i(0x3f3504f3)) - set1(1.f);
  const vf ln2_high = set1(0.693145752f), ln2_low = set1(1.42860677e-6f);
  vf y = fma(e, ln2_high, fma(e, ln2_low, log1p_small(m)));
  y = select(x == set1(0.f), set1(-__builtin_inff()), y);
  y = select(x == set1(__builtin_inff()), x, y);
  return select(x >= set1(0.f), y, x != x ? x : set1(__builtin_nanf("")));
}

UAM_INLINE vf sigmoid(vf x) { return set1(1.f) / (set1(1.f) + exp(-x)); }

UAM_INLINE vf silu(vf x) { return x / (set1(1.f) + exp(-x)); }

// The derivatives, with s = sigmoid(x) and 1 - s = e s, e = e^-x. Where e overflows s is 0, and so are both.
UAM_INLINE vf sigmoid_slope(vf x) {  // s (1 - s)
  const vf e = exp(-x), s = set1(1.f) / (set1(1.f) + e);
  return s * (min_of(set1(3e38f), e) * s);
}
struct SiluWithSlope {
  vf value, slope;  // x s, s (1 + x (1 - s))
};
UAM_INLINE SiluWithSlope silu_with_slope(vf x) {
  const vf e = exp(-x), s = set1(1.f) / (set1(1.f) + e);
  return {x * s, s * fma(x, min_of(set1(3e38f), e) * s, set1(1.f))};
}
UAM_INLINE vf silu_slope(vf x) { return silu_with_slope(x).slope; }

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|); with e = e^-|x| in (0, 1] and s = e / (2 + e) <= 1/3,
// log1p(e) = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 ...).
UAM_INLINE vf softplus(vf x) {
  const vf e = exp(-abs(x));
  const vf s = e / (e + set1(2.f)), s2 = s * s;
  vf p = set1(2.f / 13);
  p = fma(p, s2, set1(2.f / 11));
  p = fma(p, s2, set1(2.f / 9));
  p = fma(p, s2, set1(2.f / 7));
  p = fma(p, s2, set1(2.f / 5));
  p = fma(p, s2, set1(2.f / 3));
  p = fma(p, s2, set1(2.f));
  return fma(p, s, max_of(set1(0.f), x));
}

// tanh(x) = 1 - 2 / (e^2x + 1), and near zero, where that cancels, x + x^3 P(x^2) with P minimax on |x| <= 0.8
// (relative error of tanh 3.7e-9 before rounding).
UAM_INLINE vf tanh(vf x) {
  const vf x2 = x * x;
  vf p = set1(0.0015847551403567195f);
  p = fma(p, x2, set1(-0.007409555371850729f));
  p = fma(p, x2, set1(0.02130299061536789f));
  p = fma(p, x2, set1(-0.05385233089327812f));
  p = fma(p, x2, set1(0.13332220911979675f));
  p = fma(p, x2, set1(-0.33333298563957214f));
  const vf near_zero = fma(p * x2, x, x);
  const vf rest = set1(1.f) - set1(2.f) / (exp(x + x) + set1(1.f));
  return select(abs(x) < set1(0.8f), near_zero, rest);
}

// e^(-z^2), with the rounding error of z^2 put back (where fma does not round twice); z is cut at 20, where it is 0.
UAM_INLINE vf exp_minus_square(vf z) {
  z = min_of(set1(20.f), z);
  const vf square = z * z;
  const vf lost = fma(z, z, -square);
  return exp(-square) * (set1(1.f) - lost);
}

// e^(z^2) erfc(z) for z >= 0 as t P(t), t = 1 / (1 + 0.3 z): P minimax in relative error on z in [0, 10] (2.0e-8 before
// rounding, 4e-7 in float32), found by reweighted least squares on 4,000 Chebyshev points against float64 erfc.
UAM_INLINE vf erfcx_positive(vf z) {
  const vf t = set1(1.f) / fma(set1(0.3f), z, set1(1.f));
  vf p = set1(-0.12952271103858948f);
  p = fma(p, t, set1(0.4855622947216034f));
  p = fma(p, t, set1(-0.5122762322425842f));
  p = fma(p, t, set1(0.5477179288864136f));
  p = fma(p, t, set1(-0.0946493148803711f));
  p = fma(p, t, set1(0.21492546796798706f));
  p = fma(p, t, set1(0.14833931624889374f));
  p = fma(p, t, set1(0.17071521282196045f));
  p = fma(p, t, set1(0.1691880077123642f));
  return p * t;
}

// erf(x) = sign(x) (1 - erfc(|x|)), and near zero, where that cancels, x P(x^2), fitted as above on |x| <= 0.9 (1.2e-8).
UAM_INLINE vf erf(vf x) {
  const vf x2 = x * x, z = abs(x);
  vf p = set1(-0.0006090349634177983f);
  p = fma(p, x2, set1(0.00501196039840579f));
  p = fma(p, x2, set1(-0.02677890658378601f));
  p = fma(p, x2, set1(0.11282140761613846f));
  p = fma(p, x2, set1(-0.3761252462863922f));
  p = fma(p, x2, set1(1.1283791065216064f));
  const vf rest = set1(1.f) - exp_minus_square(z) * erfcx_positive(z);
  return select(z < set1(0.9f), p * x, select(x < set1(0.f), -rest, rest));
}

}  // namespace uam::cpu::UAM_ISA
