#include "kernels/unary.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/unary.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 14;  // elements per task: long enough to hide the hand-over, short enough to share

// y = f(x), dx = dy * slope(x). At the infinities and NaN they give what the float64 formula beside each gives:
// silu, gelu_tanh and gelu_erf of -inf are NaN (-inf * 0), and so are their slopes at both infinities.
struct Neg {
  UAM_INLINE static vf f(vf x) { return -x; }
  UAM_INLINE static vf slope(vf) { return set1(-1.f); }
};
struct Abs {
  UAM_INLINE static vf f(vf x) { return abs(x); }
  UAM_INLINE static vf slope(vf x) { return select(x > set1(0.f), set1(1.f), select(x < set1(0.f), set1(-1.f), x)); }
};
struct Exp {
  UAM_INLINE static vf f(vf x) { return exp(x); }
  UAM_INLINE static vf slope(vf x) { return exp(x); }
};
struct Log {
  UAM_INLINE static vf f(vf x) { return log(x); }
  UAM_INLINE static vf slope(vf x) { return set1(1.f) / x; }
};
struct Sqrt {
  UAM_INLINE static vf f(vf x) { return sqrt(x); }
  UAM_INLINE static vf slope(vf x) { return set1(0.5f) / sqrt(x); }
};
struct Square {
  UAM_INLINE static vf f(vf x) { return x * x; }
  UAM_INLINE static vf slope(vf x) { return x + x; }
};
struct Reciprocal {
  UAM_INLINE static vf f(vf x) { return set1(1.f) / x; }
  UAM_INLINE static vf slope(vf x) { return set1(-1.f) / (x * x); }
};
struct Tanh {  // slope 1 - tanh^2 = 4 e / (1 + e)^2 with e = e^-2|x|, which keeps its relative accuracy in the tails
  UAM_INLINE static vf f(vf x) { return tanh(x); }
  UAM_INLINE static vf slope(vf x) {
    const vf e = exp(set1(-2.f) * abs(x)), s = set1(1.f) / (set1(1.f) + e);
    return set1(4.f) * e * s * s;
  }
};
struct Sigmoid {
  UAM_INLINE static vf f(vf x) { return sigmoid(x); }
  UAM_INLINE static vf slope(vf x) { return sigmoid_slope(x); }
};
struct Silu {  // x s; slope s (1 + x (1 - s))
  UAM_INLINE static vf f(vf x) { return silu(x); }
  UAM_INLINE static vf slope(vf x) { return silu_slope(x); }
};
struct Softplus {
  UAM_INLINE static vf f(vf x) { return softplus(x); }
  // 1 at zero: see the contract
  UAM_INLINE static vf slope(vf x) { return select(x == set1(0.f), set1(1.f), sigmoid(x)); }
};
struct Relu {
  UAM_INLINE static vf f(vf x) { return select(x < set1(0.f), set1(0.f), x); }
  UAM_INLINE static vf slope(vf x) { return select(x > set1(0.f), set1(1.f), select(x <= set1(0.f), set1(0.f), x)); }
};
struct GeluTanh {  // x/2 (1 + tanh(u)) = x sigmoid(2u), 2u = x (a + b x^2); slope s + x s (1 - s) (a + 3 b x^2)
  UAM_INLINE static vf a() { return set1(1.5957691216057308f); }             // 2 sqrt(2/pi)
  UAM_INLINE static vf b() { return set1(0.07135481282553f); }               // 0.044715 a
  UAM_INLINE static vf squared(vf x) { return min_of(set1(1e20f), x * x); }  // past any effect, short of infinity
  UAM_INLINE static vf f(vf x) { return x / (set1(1.f) + exp(-x * fma(b(), squared(x), a()))); }
  UAM_INLINE static vf slope(vf x) {
    const vf x2 = squared(x), u2 = x * fma(b(), x2, a());
    return fma(x * sigmoid_slope(u2), fma(set1(3.f) * b(), x2, a()), sigmoid(u2));
  }
};
struct GeluErf {                                // x cdf(x), cdf(x) = erfc(-x / sqrt 2) / 2; slope cdf(x) + x e^(-x^2/2) / sqrt(2 pi)
  UAM_INLINE static vf cdf(vf x, vf z, vf e) {  // z = |x| / sqrt 2, e = e^(-z^2)
    const vf tail = set1(0.5f) * e * erfcx_positive(z);
    return select(x < set1(0.f), tail, set1(1.f) - tail);
  }
  UAM_INLINE static vf scaled(vf x) { return abs(x) * set1(0.7071067811865476f); }
  UAM_INLINE static vf f(vf x) {
    const vf z = scaled(x);
    return x * cdf(x, z, exp_minus_square(z));
  }
  UAM_INLINE static vf slope(vf x) {
    const vf z = scaled(x), e = exp_minus_square(z);
    return fma(x, e * set1(0.3989422804014327f), cdf(x, z, e));
  }
};

template <class F> void forward(const UnaryFwd& p) {
  parallel_for(p.n, kBlock, [&](int64_t begin, int64_t end) {
    const float* x = p.x.data;
    float* y = p.y.data;
    int64_t i = begin;
    for (; i + W <= end; i += W) store(y + i, F::f(load(x + i)));
    if (i < end) store_n(y + i, F::f(load_n(x + i, int(end - i))), int(end - i));
  });
}

template <class F> void backward(const UnaryBwd& p) {
  parallel_for(p.n, kBlock, [&](int64_t begin, int64_t end) {
    const float *x = p.x.data, *dy = p.dy.data;
    float* dx = p.dx.data;
    int64_t i = begin;
    for (; i + W <= end; i += W) store(dx + i, load(dy + i) * F::slope(load(x + i)));
    if (i < end) {
      const int n = int(end - i);
      store_n(dx + i, load_n(dy + i, n) * F::slope(load_n(x + i, n)), n);
    }
  });
}

// Calls visit.operator()<F>() with the function that `op` names.
template <class Visit> void with_function(UnaryOp op, Visit&& visit) {
  switch (op) {
    case UnaryOp::neg: return visit.template operator()<Neg>();
    case UnaryOp::abs: return visit.template operator()<Abs>();
    case UnaryOp::exp: return visit.template operator()<Exp>();
    case UnaryOp::log: return visit.template operator()<Log>();
    case UnaryOp::sqrt: return visit.template operator()<Sqrt>();
    case UnaryOp::square: return visit.template operator()<Square>();
    case UnaryOp::reciprocal: return visit.template operator()<Reciprocal>();
    case UnaryOp::tanh: return visit.template operator()<Tanh>();
    case UnaryOp::sigmoid: return visit.template operator()<Sigmoid>();
    case UnaryOp::silu: return visit.template operator()<Silu>();
    case UnaryOp::softplus: return visit.template operator()<Softplus>();
    case UnaryOp::relu: return visit.template operator()<Relu>();
    case UnaryOp::gelu_tanh: return visit.template operator()<GeluTanh>();
    case UnaryOp::gelu_erf: return visit.template operator()<GeluErf>();
    case UnaryOp::count: return;
  }
}

void unary_fwd(const UnaryFwd& p) {
  with_function(p.op, [&]<class F>() { forward<F>(p); });
}

void unary_bwd(const UnaryBwd& p) {
  with_function(p.op, [&]<class F>() { backward<F>(p); });
}

}  // namespace uam::cpu::UAM_ISA

#ifndef UAM_ISA_PASS
namespace uam::cpu {
void unary_fwd(const UnaryFwd& p) { UAM_BEST(unary_fwd)(p); }
void unary_bwd(const UnaryBwd& p) { UAM_BEST(unary_bwd)(p); }
}  // namespace uam::cpu
#endif
