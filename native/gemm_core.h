// The package's own float32 matrix product, for kernels that have one inside (linear layers, convolutions, experts):
//
//   c = activation(op(a) op(b) + bias)      or      c += op(a) op(b)
//   op(a) [m, k], op(b) [k, n], c [m, n], bias [n], all row-major with leading dimensions
//
// gemm() shares its work among the pool's threads; called from inside a parallel_for block it runs inline on that
// thread, with the same cuts and so with the same bits. k == 0 gives activation(bias). c must not overlap a or b.
// Nothing is read outside the matrices; NaN and infinity propagate as in the formula.
#pragma once
#include <cstdint>

#include "activation.h"

namespace uam::cpu {

// One stored operand. Instead of `data` a kernel may give `fill`, which writes the block
// [row, row + rows) x [column, column + columns) of the stored matrix to out[r * out_ld + c] when the product asks
// for it: so a convolution multiplies by patches that never exist as a whole. It is called from several threads.
struct Operand {
  const float* data = nullptr;
  int64_t ld = 0;           // elements from one stored row to the next
  bool transposed = false;  // op(x) = x^T
  void (*fill)(const void* context, int64_t row, int64_t rows, int64_t column, int64_t columns, float* out, int64_t out_ld) = nullptr;
  const void* context = nullptr;
};

struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  Operand a;  // stored [m, k], or [k, m] when transposed
  Operand b;  // stored [k, n], or [n, k] when transposed
  float* c = nullptr;
  int64_t ldc = 0;
  const float* bias = nullptr;  // [n]; not together with accumulate
  bool accumulate = false;      // c += instead of c =; not together with bias or activation
  Activation activation = Activation::none;
  float* pre_activation = nullptr;  // [m, n] with leading dimension ldc: op(a) op(b) + bias, kept for the backward pass
};

void gemm(const Gemm& g);

}  // namespace uam::cpu
