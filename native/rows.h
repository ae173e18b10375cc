// Loops over one row of n floats, for kernels that reduce rows. Include it after simd.h: like vec.h it belongs to one
// instruction set and has no include guard.
//
// A loop's body is written once for whole vectors and for the tail: it takes its elements through `lanes`.
namespace uam::cpu::UAM_ISA {

#if defined(__GNUC__)
#define UAM_INLINE_LAMBDA __attribute__((always_inline))
#else
#define UAM_INLINE_LAMBDA
#endif

inline constexpr int32_t kLaneIndex[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

struct WholeVector {
  UAM_INLINE vf load(const float* p) const { return UAM_ISA::load(p); }
  UAM_INLINE void store(float* p, vf v) const { UAM_ISA::store(p, v); }
  UAM_INLINE vf keep(vf v, vf = vf{}) const { return v; }
};

struct FirstLanes {
  int n;
  UAM_INLINE vf load(const float* p) const { return load_n(p, n); }
  UAM_INLINE void store(float* p, vf v) const { store_n(p, v, n); }
  // v in the lanes that exist, `other` in the rest: what a sum or a maximum must not see.
  UAM_INLINE vf keep(vf v, vf other = vf{}) const { return select(loadi(kLaneIndex) < set1i(n), v, other); }
};

// body(i, lanes) over [0, n).
template <class Body> UAM_INLINE void for_lanes(int64_t n, Body&& body) {
  int64_t i = 0;
  for (; i + W <= n; i += W) body(i, WholeVector{});
  if (i < n) body(i, FirstLanes{int(n - i)});
}

template <int K> struct RowSums {
  double total[K];
  double operator[](int k) const { return total[k]; }
};

inline constexpr int64_t kSumChunk = 4096;

// K sums over a row: terms(i, lanes, sums) adds its vectors to sums[0..K). Float32 partial sums, four abreast, of at
// most kSumChunk elements go into a double, so a row of a million is as exact as one of a hundred.
template <int K, class Terms> UAM_INLINE RowSums<K> sum_row(int64_t n, Terms&& terms) {
  RowSums<K> result{};
  for (int64_t begin = 0; begin < n; begin += kSumChunk) {
    const int64_t end = begin + kSumChunk < n ? begin + kSumChunk : n;
    vf sums[4][K] = {};
    int64_t i = begin;
    for (; i + 4 * W <= end; i += 4 * W) {
      terms(i, WholeVector{}, sums[0]);
      terms(i + W, WholeVector{}, sums[1]);
      terms(i + 2 * W, WholeVector{}, sums[2]);
      terms(i + 3 * W, WholeVector{}, sums[3]);
    }
    for (; i + W <= end; i += W) terms(i, WholeVector{}, sums[0]);
    if (i < end) terms(i, FirstLanes{int(end - i)}, sums[0]);
    for (int k = 0; k < K; ++k) result.total[k] += sum((sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]));
  }
  return result;
}

}  // namespace uam::cpu::UAM_ISA
