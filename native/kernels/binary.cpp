#include "kernels/binary.h"

#include "parallel.h"
#include "strided.h"
#define UAM_SIMD_FILE "kernels/binary.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

struct Add {
  UAM_INLINE static vf f(vf a, vf b) { return a + b; }
};
struct Sub {
  UAM_INLINE static vf f(vf a, vf b) { return a - b; }
};
struct Mul {
  UAM_INLINE static vf f(vf a, vf b) { return a * b; }
};
struct Div {
  UAM_INLINE static vf f(vf a, vf b) { return a / b; }
};
// NaN if either is NaN, as Math.max and Math.min.
struct Maximum {
  UAM_INLINE static vf f(vf a, vf b) { return select(a > b, a, select(a != a, a, b)); }
};
struct Minimum {
  UAM_INLINE static vf f(vf a, vf b) { return select(a < b, a, select(a != a, a, b)); }
};
struct GreaterEqual {
  UAM_INLINE static vf f(vf a, vf b) { return select(a >= b, set1(1.f), set1(0.f)); }
};

// n elements whose stride is 0 (one value for all) or 1.
template <class F, int stride_a, int stride_b> void run(const float* a, const float* b, float* y, int64_t n) {
  const vf a0 = set1(*a), b0 = set1(*b);
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, F::f(stride_a ? load(a + i) : a0, stride_b ? load(b + i) : b0));
  const int tail = int(n - i);
  if (tail) store_n(y + i, F::f(stride_a ? load_n(a + i, tail) : a0, stride_b ? load_n(b + i, tail) : b0), tail);
}

template <class F> void run_strided(const float* a, int64_t stride_a, const float* b, int64_t stride_b, float* y, int64_t n) {
  float from_a[W], from_b[W];
  for (int64_t i = 0; i < n; i += W) {
    const int count = int(n - i < W ? n - i : W);
    for (int lane = 0; lane < count; ++lane) {
      from_a[lane] = a[(i + lane) * stride_a];
      from_b[lane] = b[(i + lane) * stride_b];
    }
    store_n(y + i, F::f(load_n(from_a, count), load_n(from_b, count)), count);
  }
}

template <class F> void apply(const Binary& p, const Walk<2>& walk) {
  const int64_t sa = walk.inner_stride(0), sb = walk.inner_stride(1);
  parallel_for(walk.n, 1 << 15, [&](int64_t begin, int64_t end) {
    walk.rows(begin, end, [&](int64_t flat, int64_t count, const int64_t* offsets) {
      const float *a = p.a.data + offsets[0], *b = p.b.data + offsets[1];
      float* y = p.y.data + flat;
      if (sa == 1 && sb == 1) run<F, 1, 1>(a, b, y, count);
      else if (sa == 1 && sb == 0) run<F, 1, 0>(a, b, y, count);
      else if (sa == 0 && sb == 1) run<F, 0, 1>(a, b, y, count);
      else run_strided<F>(a, sa, b, sb, y, count);
    });
  });
}

void binary(const Binary& p) {
  Walk<2> walk(p.shape);
  if (walk.n != p.n) throw KernelError("UAM_SHAPE", "y must hold as many elements as shape");
  walk.bind(0, p.strides_a, 0, p.size_a);
  walk.bind(1, p.strides_b, 0, p.size_b);
  switch (p.op) {
    case BinaryOp::add: return apply<Add>(p, walk);
    case BinaryOp::sub: return apply<Sub>(p, walk);
    case BinaryOp::mul: return apply<Mul>(p, walk);
    case BinaryOp::div: return apply<Div>(p, walk);
    case BinaryOp::maximum: return apply<Maximum>(p, walk);
    case BinaryOp::minimum: return apply<Minimum>(p, walk);
    case BinaryOp::greater_equal: return apply<GreaterEqual>(p, walk);
    case BinaryOp::count: return;
  }
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void binary(const Binary& p) { UAM_BEST(binary)(p); }
}  // namespace uam::cpu
#endif
