#include "index_error.h"
#include "kernels/reduce.h"
#include "parallel.h"

namespace uam::cpu {

void reduce_bwd(const ReduceBwd& p) {
  parallel_for(p.outer, 1 + (1 << 16) / (1 + p.axis * p.inner), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      float* dx = p.dx.data + o * p.axis * p.inner;
      for (int64_t i = 0; i < p.axis * p.inner; ++i) dx[i] = 0.f;
      for (int64_t i = 0; i < p.inner; ++i) {
        const int64_t at = o * p.inner + i;
        const int32_t a = p.index.data[at];  // read once: JavaScript may write into the array meanwhile
        if (a < 0 || a >= p.axis) reject_index("index", at, a, p.axis);
        dx[a * p.inner + i] = p.dy.data[at];
      }
    }
  });
}

}  // namespace uam::cpu
