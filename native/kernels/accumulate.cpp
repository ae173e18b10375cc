#include "kernels/accumulate.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/accumulate.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

void accumulate(const Accumulate& p) {
  parallel_for(p.n, 1 << 15, [&](int64_t begin, int64_t end) {
    const float* x = p.x.data;
    float* y = p.y.data;
    int64_t i = begin;
    for (; i + W <= end; i += W) store(y + i, load(y + i) + load(x + i));
    const int tail = int(end - i);
    if (tail) store_n(y + i, load_n(y + i, tail) + load_n(x + i, tail), tail);
  });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void accumulate(const Accumulate& p) { UAM_BEST(accumulate)(p); }
}  // namespace uam::cpu
#endif
