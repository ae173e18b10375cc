// Philox4x32-10, the counter-based generator of Salmon et al. (SC 2011): random words are a pure function of a key and a
// counter, so a run repeats exactly whatever the threads, and a mask can be made again instead of being stored.
// Included inside an ISA region.
//
// Words come in groups of 64: counters g*16 .. g*16+15, one per lane, four words each; word w of lane l is element
// g*64 + w*16 + l. The key is (seed, step), the counter (index, index >> 32, stream, 0).
namespace uam::cpu::UAM_ISA {

inline constexpr int kGroup = 64;

// A counter stands in a lane of 64 bits, of which only the low half counts: products are of low halves, so the rest never matters.
#if defined(__GNUC__)
inline constexpr int kCounters = W / 2;
typedef uint64_t vu __attribute__((vector_size(kCounters * 8)));
typedef uint32_t vu_words __attribute__((vector_size(kCounters * 4), aligned(4), may_alias));
UAM_INLINE void store_words(uint32_t* to, vu v) { *reinterpret_cast<vu_words*>(to) = __builtin_convertvector(v, vu_words); }
#else
inline constexpr int kCounters = 1;
using vu = uint64_t;
UAM_INLINE void store_words(uint32_t* to, vu v) { *to = uint32_t(v); }
#endif

UAM_INLINE vu set_counters(uint64_t x) { return x - vu{}; }

UAM_INLINE vu times(vu x, uint32_t factor) {
#if UAM_ISA_LEVEL == 2
  return (vu)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(factor));
#elif UAM_ISA_LEVEL == 1
  return (vu)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(factor));
#elif defined(__x86_64__) && defined(__GNUC__)
  return (vu)_mm_mul_epu32((__m128i)x, _mm_set1_epi64x(factor));
#else
  return (x & set_counters(0xFFFFFFFFu)) * set_counters(factor);
#endif
}

UAM_INLINE void philox_group(uint32_t seed, uint32_t step, uint32_t stream, uint64_t group, uint32_t* words) {
  constexpr int kVectors = 16 / kCounters < 4 ? 16 / kCounters : 4;  // independent ones under way at once
  for (int first = 0; first < 16; first += kVectors * kCounters) {
    vu c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      alignas(64) uint64_t counters[kCounters];
      for (int l = 0; l < kCounters; ++l) counters[l] = group * 16 + uint64_t(first + v * kCounters + l);
      std::memcpy(&c0[v], counters, sizeof counters);
      c1[v] = c0[v] >> 32;
      c2[v] = set_counters(stream);
      c3[v] = set_counters(0);
    }
    uint32_t k0 = seed, k1 = step;
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const vu p0 = times(c0[v], 0xD2511F53u), p1 = times(c2[v], 0xCD9E8D57u);
        c0[v] = (p1 >> 32) ^ c1[v] ^ set_counters(k0);
        c2[v] = (p0 >> 32) ^ c3[v] ^ set_counters(k1);
        c1[v] = p1;
        c3[v] = p0;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      uint32_t* to = words + first + v * kCounters;
      store_words(to, c0[v]);
      store_words(to + 16, c1[v]);
      store_words(to + 32, c2[v]);
      store_words(to + 48, c3[v]);
    }
  }
}

// In [0, 1), a multiple of 2^-24.
inline constexpr float kUnit = 5.9604644775390625e-8f;
UAM_INLINE float unit(uint32_t word) { return float(int32_t(word >> 8)) * kUnit; }

}  // namespace uam::cpu::UAM_ISA
