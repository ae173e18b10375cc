#include "kernels/where.h"

#include "parallel.h"
#include "strided.h"

namespace uam::cpu {

void where(const Where& p) {
  Walk<3> walk(p.shape);
  if (walk.n != p.n) throw KernelError("UAM_SHAPE", "y must hold as many elements as shape");
  walk.bind(0, p.strides_mask, 0, p.size_mask);
  walk.bind(1, p.strides_a, 0, p.size_a);
  walk.bind(2, p.strides_b, 0, p.size_b);
  const int64_t sm = walk.inner_stride(0), sa = walk.inner_stride(1), sb = walk.inner_stride(2);
  parallel_for(walk.n, 1 << 15, [&](int64_t begin, int64_t end) {
    walk.rows(begin, end, [&](int64_t flat, int64_t count, const int64_t* offsets) {
      const uint8_t* mask = p.mask.data + offsets[0];
      const float *a = p.a.data + offsets[1], *b = p.b.data + offsets[2];
      float* y = p.y.data + flat;
      for (int64_t i = 0; i < count; ++i) y[i] = mask[i * sm] ? a[i * sa] : b[i * sb];
    });
  });
}

}  // namespace uam::cpu
