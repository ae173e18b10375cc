#include "kernels/l2_norm.h"

#include <cmath>

#include "parallel.h"
#include "scratch.h"
#define UAM_SIMD_FILE "kernels/l2_norm.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 15;  // elements per task
inline constexpr int kLanes = 32;           // running sums, the same for every instruction set

void l2_norm(const L2Norm& p) {
  const int64_t blocks = (p.n + kBlock - 1) / kBlock;
  Scratch outer;
  double* total_of_block = outer.take<double>(blocks);
  parallel_for(p.n, kBlock, [&](int64_t begin, int64_t end) {
    const float* x = p.x.data;
    double lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int j = 0; j < kLanes; ++j) lanes[j] += double(x[i + j]) * double(x[i + j]);
    for (int j = 0; i < end; ++i, ++j) lanes[j] += double(x[i]) * double(x[i]);
    double total = 0;
    for (int j = 0; j < kLanes; ++j) total += lanes[j];
    total_of_block[begin / kBlock] = total;
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += total_of_block[b];
  p.norm.data[0] = float(std::sqrt(total));
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void l2_norm(const L2Norm& p) { UAM_BEST(l2_norm)(p); }
}  // namespace uam::cpu
#endif
