#include "kernels/bias_activation.h"

#include "bias_activation_sums.cuh"

#include "bias_activation_functions.cuh"

namespace uam::cuda {

namespace {

// The gradient before the activation, written on the way.
struct Slope {
  Activation activation;
  int64_t columns;
  const float *dy, *pre;
  float* d_pre;
  __device__ float operator()(int64_t row, int64_t column) const {
    const int64_t at = row * columns + column;
    float d = dy[at];
    if (activation != Activation::none) d *= activation_slope(activation, pre[at]);
    if (d_pre) d_pre[at] = d;
    return d;
  }
};

}  // namespace

__global__ void add_strips_kernel(int64_t sequences, int64_t columns, const int32_t* first, const float* partial, float* sums) {
  for (int64_t i = first_element(); i < sequences * columns; i += element_step()) {
    const int64_t s = i / columns, column = i % columns;
    double sum = 0.;
    for (int64_t strip = first[s]; strip < first[s + 1]; ++strip) sum += double(partial[strip * columns + column]);
    sums[i] = float(sum);
  }
}

void bias_activation_bwd(const BiasActivationBwd& p) {
  if (p.activation != Activation::none && !p.pre) throw KernelError("UAM_ARGUMENT", "pre is needed for the slope of the activation");
  Call call;
  const Slope slope{p.activation, p.columns, call.in(p.dy), call.in(p.pre), call.out(p.d_pre)};
  float* d_bias = call.out(p.d_bias);
  sum_strips(call, cut_rows<Strip>(call, p.offsets, p.rows, kStripRows), p.offsets.sequences(), p.columns, slope, d_bias);
  call.finish();
}

}  // namespace uam::cuda
