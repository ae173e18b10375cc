#include "kernels/moe_dispatch.h"

#include "call.cuh"
#include "index_error.h"
#include "moe_dispatch_slots.cuh"
#include "row_vectors.cuh"
#include "stable_order.cuh"

namespace uam::cuda {

struct ExpertOfChoice {
  int64_t experts;
  const int32_t* indices;
  const uint8_t* kept;
  Fault* fault;
  __device__ int32_t operator()(int64_t choice) const {
    const int32_t expert = indices[choice];
    if (expert < 0 || expert >= experts) {
      report_fault(fault, choice, expert);
      return kNoKey;
    }
    return !kept || kept[choice] ? expert : kNoKey;
  }
};

struct GiveSlot {
  int64_t slots;
  int32_t *slot, *order;
  __device__ void operator()(int64_t choice, int32_t expert, int32_t position) const {
    slot[choice] = expert == kNoKey ? -1 : position;
    if (expert != kNoKey && position < slots) order[position] = int32_t(choice);
  }
};

inline constexpr int64_t kSlotsDiffer = 0xffffffff;  // behind every choice: a wrong index speaks first

static __global__ void check_slots_kernel(int64_t slots, int64_t experts, const int32_t* offsets, Fault* fault) {
  if (offsets[experts] != slots) report_fault(fault, kSlotsDiffer, offsets[experts]);
}

template <int kFloats> __global__ void gather_tokens_kernel(int64_t slots, int64_t width, int64_t k, const float* x, const int32_t* offsets,
                                                            int64_t experts, const int32_t* order, float* rows) {
  const int64_t s = row_of_thread();
  if (s >= slots || s >= offsets[experts]) return;
  const float* from = x + order[s] / int32_t(k) * width;
  for (int64_t i = threadIdx.x * int64_t(kFloats); i < width; i += blockDim.x * kFloats)
    store_floats(rows + s * width + i, load_floats<kFloats>(from + i));
}

template <int kFloats>
__global__ void moe_dispatch_bwd_kernel(int64_t tokens, int64_t width, SlotsOfTokens slots, const float* drows, float* dx) {
  const int64_t t = row_of_thread();
  if (t >= tokens) return;
  for (int64_t i = threadIdx.x * int64_t(kFloats); i < width; i += blockDim.x * kFloats) {
    Floats<kFloats> total = {};
    slots.each(t, [&](int64_t row, int64_t) {
      const auto slope = load_floats<kFloats>(drows + row * width + i);
#pragma unroll
      for (int f = 0; f < kFloats; ++f) total.at[f] += slope.at[f];
    });
    store_floats(dx + t * width + i, total);
  }
}

void moe_dispatch_fwd(const MoeDispatchFwd& p) {
  Call call;
  const float* x = call.in(p.x);
  const int64_t slots = p.slots, experts = p.experts;
  Fault* fault = call.fault([=](int64_t place, int32_t value) {
    if (place != kSlotsDiffer) reject_index("indices", place, value, experts);
    throw KernelError("UAM_SHAPE",
                      "slots must be the number of kept choices (" + std::to_string(value) + "), received " + std::to_string(slots));
  });
  const ExpertOfChoice expert_of{experts, call.in(p.indices), call.in(p.kept), fault};
  float* rows = call.out(p.rows);
  int32_t *offsets = call.out(p.offsets), *order = call.out(p.order), *slot = call.out(p.slot);
  const KeyUnits units = count_keys(call, p.tokens * p.k, experts, expert_of, offsets);
  call.launch({1, 1}, check_slots_kernel, slots, experts, offsets, fault);
  place_keys(call, units, expert_of, GiveSlot{slots, slot, order});
  with_vector_size(p.width, {x, rows}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    call.launch(row_grid(slots, p.width / kFloats), gather_tokens_kernel<kFloats>, slots, p.width, p.k, x, offsets, experts, order, rows);
  });
  call.finish();
}

void moe_dispatch_bwd(const MoeDispatchBwd& p) {
  Call call;
  const float* drows = call.in(p.drows);
  const SlotsOfTokens slots = slots_of_tokens(call, p);
  float* dx = call.out(p.dx);
  with_vector_size(p.width, {drows, dx}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    call.launch(row_grid(p.tokens, p.width / kFloats), moe_dispatch_bwd_kernel<kFloats>, p.tokens, p.width, slots, drows, dx);
  });
  call.finish();
}

}  // namespace uam::cuda
