// Sums over rows in a fixed order, for one instruction set. Included after simd.h in each pass, so no include guard; the
// including file has parallel.h, scratch.h, <algorithm> and <cstring> before it.
namespace uam::cpu::UAM_ISA {

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// sums[0:count] = sum of `parts` arrays of `count` floats, in their order.
inline void add_parts(const float* parts, int64_t count, int64_t part_count, float* sums) {
  parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end) {
    std::memcpy(sums + begin, parts + begin, size_t(end - begin) * sizeof(float));
    for (int64_t part = 1; part < part_count; ++part) {
      const float* from = parts + part * count;
      int64_t i = begin;
      for (; i + W <= end; i += W) store(sums + i, load(sums + i) + load(from + i));
      for (; i < end; ++i) sums[i] += from[i];
    }
  });
}

// sums[c] = sum over rows of x[row, c]. Strips in float32, strips added in their order.
inline void channel_sums(const float* x, int64_t rows, int64_t channels, float* sums) {
  constexpr int64_t kStrip = 256;
  const int64_t strips = divide_up(rows, kStrip);
  if (channels == 0) return;
  if (strips == 0) {
    std::memset(sums, 0, size_t(channels) * sizeof(float));
    return;
  }
  Scratch scratch;
  float* parts = scratch.take<float>(strips * channels);
  parallel_for(strips, std::max<int64_t>(1, (1 << 18) / (kStrip * channels)), [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      const int64_t row_end = std::min(rows, (strip + 1) * kStrip);
      for (int64_t c = 0; c < channels; c += W) {
        const int n = int(std::min<int64_t>(W, channels - c));
        vf total = {};
        for (int64_t row = strip * kStrip; row < row_end; ++row)
          total += n == W ? load(x + row * channels + c) : load_n(x + row * channels + c, n);
        store_n(parts + strip * channels + c, total, n);
      }
    }
  });
  add_parts(parts, channels, strips, sums);
}

}  // namespace uam::cpu::UAM_ISA
