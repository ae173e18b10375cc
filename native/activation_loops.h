// f and its slope for each Activation. Included once per UAM_ISA, after simd.h, so no include guard.
namespace uam::cpu::UAM_ISA {

struct ActNone {
  UAM_INLINE static vf f(vf x) { return x; }
  UAM_INLINE static vf slope(vf) { return set1(1.f); }
};
struct ActRelu {
  UAM_INLINE static vf f(vf x) { return select(x < set1(0.f), set1(0.f), x); }
  UAM_INLINE static vf slope(vf x) { return select(x > set1(0.f), set1(1.f), x * set1(0.f)); }
};
struct ActSigmoid {
  UAM_INLINE static vf f(vf x) { return sigmoid(x); }
  UAM_INLINE static vf slope(vf x) { return sigmoid(x) * sigmoid(-x); }
};
struct ActTanh {
  UAM_INLINE static vf f(vf x) { return tanh(x); }
  UAM_INLINE static vf slope(vf x) {
    const vf y = tanh(x);
    return fnma(y, y, set1(1.f));
  }
};
struct ActSilu {
  UAM_INLINE static vf f(vf x) { return silu(x); }
  UAM_INLINE static vf slope(vf x) { return sigmoid(x) * fma(x, sigmoid(-x), set1(1.f)); }
};
struct ActSoftplus {
  UAM_INLINE static vf f(vf x) { return softplus(x); }
  UAM_INLINE static vf slope(vf x) { return sigmoid(x); }
};
struct ActGeluTanh {  // x/2 (1 + tanh u) = x sigmoid(2u), 2u = x (a + b x^2); slope s + x s (1 - s) (a + 3 b x^2)
  UAM_INLINE static vf a() { return set1(1.5957691216057308f); }             // 2 sqrt(2/pi)
  UAM_INLINE static vf b() { return set1(0.07135481282553f); }               // 0.044715 a
  UAM_INLINE static vf squared(vf x) { return min_of(set1(1e20f), x * x); }  // past any effect, short of infinity
  UAM_INLINE static vf f(vf x) { return x / (set1(1.f) + exp(-x * fma(b(), squared(x), a()))); }
  UAM_INLINE static vf slope(vf x) {
    const vf x2 = squared(x), u2 = x * fma(b(), x2, a());
    return fma(x * sigmoid(u2) * sigmoid(-u2), fma(set1(3.f) * b(), x2, a()), sigmoid(u2));
  }
};

// Calls visit.operator()<F>() with the functions that `activation` names.
template <class Visit> void with_activation(Activation activation, Visit&& visit) {
  switch (activation) {
    case Activation::relu: return visit.template operator()<ActRelu>();
    case Activation::sigmoid: return visit.template operator()<ActSigmoid>();
    case Activation::tanh: return visit.template operator()<ActTanh>();
    case Activation::silu: return visit.template operator()<ActSilu>();
    case Activation::softplus: return visit.template operator()<ActSoftplus>();
    case Activation::gelu_tanh: return visit.template operator()<ActGeluTanh>();
    default: return visit.template operator()<ActNone>();
  }
}

}  // namespace uam::cpu::UAM_ISA
