#include "kernels/unary.h"

#include "parallel.h"
#define UAM_SIMD_FILE "kernels/unary.cpp"
#include "simd.h"

namespace uam::cpu::UAM_ISA {

inline constexpr int64_t kBlock = 1 << 14;  // elements per task: long enough to hide the hand-over, short enough to share

// y = f(x), dx = dy * slope(x).
struct Neg { UAM_INLINE static vf f(vf x) { return -x; } UAM_INLINE static vf slope(vf) { return set1(-1.f); } };
struct Abs { UAM_INLINE static vf f(vf x) { return abs(x); } UAM_INLINE static vf slope(vf x) { return select(x > set1(0.f), set1(1.f), select(x < set1(0.f), set1(-1.f), x * set1(0.f))); } };
struct Exp { UAM_INLINE static vf f(vf x) { return exp(x); } UAM_INLINE static vf slope(vf x) { return exp(x); } };
struct Log { UAM_INLINE static vf f(vf x) { return log(x); } UAM_INLINE static vf slope(vf x) { return set1(1.f) / x; } };
struct Sqrt { UAM_INLINE static vf f(vf x) { return sqrt(x); } UAM_INLINE static vf slope(vf x) { return set1(0.5f) / sqrt(x); } };
struct Square { UAM_INLINE static vf f(vf x) { return x * x; } UAM_INLINE static vf slope(vf x) { return x + x; } };
struct Reciprocal { UAM_INLINE static vf f(vf x) { return set1(1.f) / x; } UAM_INLINE static vf slope(vf x) { return set1(-1.f) / (x * x); } };
struct Tanh { UAM_INLINE static vf f(vf x) { return tanh(x); } UAM_INLINE static vf slope(vf x) { const vf y = tanh(x); return fnma(y, y, set1(1.f)); } };
struct Sigmoid { UAM_INLINE static vf f(vf x) { return sigmoid(x); } UAM_INLINE static vf slope(vf x) { const vf y = sigmoid(x); return y * sigmoid(-x); } };
struct Silu { UAM_INLINE static vf f(vf x) { return silu(x); } UAM_INLINE static vf slope(vf x) { const vf s = sigmoid(x); return s * fma(x, sigmoid(-x), set1(1.f)); } };
struct Softplus { UAM_INLINE static vf f(vf x) { return softplus(x); } UAM_INLINE static vf slope(vf x) { return sigmoid(x); } };
struct Relu { UAM_INLINE static vf f(vf x) { return select(x < set1(0.f), set1(0.f), x); } UAM_INLINE static vf slope(vf x) { return select(x > set1(0.f), set1(1.f), x * set1(0.f)); } };

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
    default: return;
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
