#include "kernels/gemm.h"

#include "gemm_plan.cuh"

namespace uam::cuda {

namespace {

// What every block of a product needs to know.
struct Product {
  const float *a, *b;
  float *c, *pre;  // c is [parts, batch, m, n] where k is cut
  int64_t m, n, k, a_ld, b_ld, part;
  int tiles_m, tiles_n;
  int64_t a_apart, b_apart, c_apart, parts_apart;  // between batch entries; 0 where one matrix serves all
  bool a_along_k, b_along_k, a_vector, b_vector, c_vector;
  Finish finish;
};

template <class T, MatmulPrecision precision> __global__ __launch_bounds__(T::threads, T::resident(precision)) void gemm_kernel(Product p) {
  const TilePlace tile = tile_place(blockIdx.x, p.tiles_m, p.tiles_n);
  const int64_t row = tile.m * int64_t(T::m), column = tile.n * int64_t(T::n), entry = blockIdx.y, first = blockIdx.z * p.part;
  const int count = int(min(p.part, p.k - first));
  const MatrixSource a{p.a + entry * p.a_apart + (p.a_along_k ? row * p.a_ld + first : first * p.a_ld + row),
                       p.a_ld,
                       existing(p.m, row),
                       count,
                       p.a_along_k,
                       p.a_vector};
  const MatrixSource b{p.b + entry * p.b_apart + (p.b_along_k ? column * p.b_ld + first : first * p.b_ld + column),
                       p.b_ld,
                       existing(p.n, column),
                       count,
                       p.b_along_k,
                       p.b_vector};
  const int64_t at = blockIdx.z * p.parts_apart + entry * p.c_apart + row * p.n + column;
  const MatrixTarget target{p.c + at,           p.pre ? p.pre + at : nullptr, p.n,        column,
                            existing(p.m, row), existing(p.n, column),        p.c_vector, p.finish};
  multiply_tile<T, precision>(a, b, count, target);
}

}  // namespace

__global__ void sum_parts_kernel(const float* partial, int64_t parts, int64_t count, int64_t n, Finish finish, float* c, float* pre) {
  for (int64_t i = first_element(); i < count; i += element_step()) {
    float sum = partial[i];
    for (int64_t part = 1; part < parts; ++part) sum += partial[part * count + i];
    finish.put(c + i, pre ? pre + i : nullptr, i % n, 1, false, make_float4(sum, 0.f, 0.f, 0.f));
  }
}

void gemm(const GemmParams& p) {
  for (int64_t operand : {p.a_batch, p.b_batch})
    if (operand != 1 && operand != p.batch)
      throw KernelError("UAM_SHAPE",
                        "aBatch and bBatch must be 1 or batch (" + std::to_string(p.batch) + "), received " + std::to_string(operand));
  if (p.accumulate && (p.bias || p.pre_activation || p.activation != Activation::none))
    throw KernelError("UAM_ARGUMENT", "an accumulating product takes no bias and no activation");
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;

  Call call;
  Product q{};
  q.a = call.in(p.a), q.b = call.in(p.b);
  float* c = p.accumulate ? call.inout(p.c) : call.out(p.c);
  float* pre = call.out(p.pre_activation);
  const Finish finish{call.in(p.bias), p.activation, p.accumulate};
  q.m = p.m, q.n = p.n, q.k = p.k;
  q.a_ld = p.transpose_a ? p.m : p.k, q.b_ld = p.transpose_b ? p.k : p.n;
  q.a_apart = p.a_batch == 1 ? 0 : p.m * p.k, q.b_apart = p.b_batch == 1 ? 0 : p.k * p.n, q.c_apart = p.m * p.n;
  q.a_along_k = !p.transpose_a, q.b_along_k = p.transpose_b;
  q.a_vector = on_16_bytes(q.a) && q.a_ld % 4 == 0;
  q.b_vector = on_16_bytes(q.b) && q.b_ld % 4 == 0;

  const Plan plan = plan_product(p.m, p.n, p.k, p.batch, q.a_vector && q.b_vector);
  q.part = plan.part, q.tiles_m = int(plan.tiles_m), q.tiles_n = int(plan.tiles_n);
  const int64_t count = p.batch * p.m * p.n;
  q.parts_apart = count;
  if (plan.parts > 1) {
    q.c = call.scratch<float>(plan.parts * count);
  } else {
    q.c = c, q.pre = pre, q.finish = finish;
  }
  q.c_vector = on_16_bytes(q.c) && on_16_bytes(q.pre) && p.n % 4 == 0;
  constexpr int64_t kMostRows = 65535;  // of a grid
  for (int64_t entry = 0; entry < p.batch; entry += kMostRows) {
    Product some = q;
    some.a += entry * q.a_apart, some.b += entry * q.b_apart, some.c += entry * q.c_apart;
    if (q.pre) some.pre += entry * q.c_apart;
    const dim3 blocks(unsigned(plan.tiles_m * plan.tiles_n), unsigned(std::min(p.batch - entry, kMostRows)), unsigned(plan.parts));
    with_tile(plan.kind, [&]<class T>() {
      with_precision([&]<MatmulPrecision precision>() { call.launch({blocks, T::threads}, gemm_kernel<T, precision>, some); });
    });
  }
  if (plan.parts > 1) call.launch_elements(count, sum_parts_kernel, static_cast<const float*>(q.c), plan.parts, count, p.n, finish, c, pre);
  call.finish();
}

}  // namespace uam::cuda
