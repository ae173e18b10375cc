#include "kernels/softmax.h"

#include "call.cuh"
#include "reduce.cuh"

namespace uam::cuda {

// A column is read by one warp (lanes along the axis) where columns are rows of memory, else by one thread (threads along inner).
// Either way each column is summed in an order that depends on its length alone.
struct SoftmaxColumn {
  const float* x;
  int64_t axis, inner;
  int lane, lanes;
  __device__ float operator[](int64_t a) const { return x[a * inner]; }
  template <class F> __device__ void each(F&& f) const {
    for (int64_t a = lane; a < axis; a += lanes) f(a);
  }
  __device__ float max_of(float value) const { return lanes == 32 ? warp_max(value) : value; }
  __device__ float sum_of(float value) const { return lanes == 32 ? warp_sum(value) : value; }
};

// visit(column, first element) for every column of this thread.
template <class Visit> __device__ void for_columns(int64_t outer, int64_t axis, int64_t inner, int lanes, const float* x, Visit&& visit) {
  const int lane = lanes == 32 ? int(threadIdx.x & 31u) : 0;
  for (int64_t c = first_element() / lanes; c < outer * inner; c += element_step() / lanes) {
    const int64_t first = c / inner * axis * inner + c % inner;
    visit(SoftmaxColumn{x + first, axis, inner, lane, lanes}, first);
  }
}

__global__ void softmax_fwd_kernel(int64_t outer, int64_t axis, int64_t inner, int lanes, bool logarithm, const float* x, float* out) {
  for_columns(outer, axis, inner, lanes, x, [=](const SoftmaxColumn& column, int64_t first) {
    float highest = -INFINITY, total = 0.f;
    column.each([&](int64_t a) { highest = Greater()(highest, column[a]); });
    highest = column.max_of(highest);
    column.each([&](int64_t a) { total += expf(column[a] - highest); });
    total = column.sum_of(total);
    const float log_total = logf(total), scale = 1.f / total;
    column.each([&](int64_t a) {
      const float shifted = column[a] - highest;
      out[first + a * inner] = logarithm ? shifted - log_total : expf(shifted) * scale;
    });
  });
}

__global__ void softmax_bwd_kernel(int64_t outer, int64_t axis, int64_t inner, int lanes, bool logarithm, const float* out,
                                   const float* dOut, float* dX) {
  for_columns(outer, axis, inner, lanes, out, [=](const SoftmaxColumn& column, int64_t first) {
    const float* dy = dOut + first;
    float total = 0.f;
    column.each([&](int64_t a) { total = logarithm ? total + dy[a * inner] : fmaf(dy[a * inner], column[a], total); });
    total = column.sum_of(total);
    column.each([&](int64_t a) {
      const float g = dy[a * inner], y = column[a];
      dX[first + a * inner] = logarithm ? g - expf(y) * total : y * (g - total);
    });
  });
}

static int lanes_for(int64_t axis, int64_t inner) { return inner == 1 && axis > 4 ? 32 : 1; }

void softmax_fwd(const SoftmaxFwd& p) {
  Call call;
  const float* x = call.in(p.x);
  float* out = call.out(p.out);
  const int lanes = lanes_for(p.axis, p.inner);
  call.launch_elements(p.outer * p.inner * lanes, softmax_fwd_kernel, p.outer, p.axis, p.inner, lanes, p.logarithm, x, out);
  call.finish();
}

void softmax_bwd(const SoftmaxBwd& p) {
  Call call;
  const float *out = call.in(p.out), *dOut = call.in(p.dOut);
  float* dX = call.out(p.dX);
  const int lanes = lanes_for(p.axis, p.inner);
  call.launch_elements(p.outer * p.inner * lanes, softmax_bwd_kernel, p.outer, p.axis, p.inner, lanes, p.logarithm, out, dOut, dX);
  call.finish();
}

}  // namespace uam::cuda
