// Philox4x32-10, the counter-based generator of Salmon et al. (SC 2011): random words are a pure function of a key and a
// counter, so a run repeats exactly whatever the threads, and a mask can be made again instead of being stored.
// Included inside an ISA region.
//
// Words come in groups of 64: counters g*16 .. g*16+15, one per lane, four words each; word w of lane l is element
// g*64 + w*16 + l. The key is (seed, step), the counter (index, index >> 32, stream, 0).
namespace uam::cpu::UAM_ISA {

inline constexpr int kGroup = 64;

UAM_INLINE void philox_group(uint32_t seed, uint32_t step, uint32_t stream, uint64_t group, uint32_t* words) {
  alignas(64) uint32_t c0[16], c1[16], c2[16], c3[16];
  for (int l = 0; l < 16; ++l) {
    const uint64_t counter = group * 16 + uint64_t(l);
    c0[l] = uint32_t(counter);
    c1[l] = uint32_t(counter >> 32);
    c2[l] = stream;
    c3[l] = 0;
  }
  uint32_t k0 = seed, k1 = step;
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < 16; ++l) {
      const uint64_t p0 = uint64_t(0xD2511F53u) * c0[l], p1 = uint64_t(0xCD9E8D57u) * c2[l];
      const uint32_t n0 = uint32_t(p1 >> 32) ^ c1[l] ^ k0, n2 = uint32_t(p0 >> 32) ^ c3[l] ^ k1;
      c1[l] = uint32_t(p1);
      c3[l] = uint32_t(p0);
      c0[l] = n0;
      c2[l] = n2;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int l = 0; l < 16; ++l) {
    words[l] = c0[l];
    words[16 + l] = c1[l];
    words[32 + l] = c2[l];
    words[48 + l] = c3[l];
  }
}

// In [0, 1), a multiple of 2^-24.
UAM_INLINE float unit(uint32_t word) { return float(int32_t(word >> 8)) * 5.9604644775390625e-8f; }

}  // namespace uam::cpu::UAM_ISA
