#include "kernels/reduce.h"

#include "strided.cuh"

namespace uam::cuda {

namespace {

constexpr int kThreads = 256;

// Sums in float32 drift over long axes: at most 32 rounds of four add up in float32, the rest in doubles.
struct Summing {
  using State = double;
  static __device__ State nothing() { return 0; }
  static __device__ State joined(State a, State b) { return a + b; }
  // Elements first, first + step, ... before `end`.
  static __device__ State run(const float* x, int64_t inner, int64_t first, int64_t end, int64_t step) {
    double total = 0;
    int64_t a = first;
    while (a + 3 * step < end) {
      float part[4] = {0.f, 0.f, 0.f, 0.f};
      for (int round = 0; round < 32 && a + 3 * step < end; ++round, a += 4 * step) {
#pragma unroll
        for (int k = 0; k < 4; ++k) part[k] += x[(a + k * step) * inner];
      }
      total += double((part[0] + part[1]) + (part[2] + part[3]));
    }
    for (; a < end; a += step) total += double(x[a * inner]);
    return total;
  }
  static __device__ void write(State total, float scale, float* y, int32_t*) { *y = float(total * double(scale)); }
};

// The first of the greatest (least); NaN takes the place of any number.
template <bool greatest> struct Extreme {
  struct State {
    float value;
    int64_t at;  // -1: nothing yet
  };
  static __device__ State nothing() { return {0.f, -1}; }
  static __device__ bool better(float a, float b) { return b == b && (a != a || (greatest ? a > b : a < b)); }
  static __device__ State joined(State a, State b) {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    if (better(b.value, a.value)) return b;
    return !better(a.value, b.value) && b.at < a.at ? b : a;
  }
  static __device__ State run(const float* x, int64_t inner, int64_t first, int64_t end, int64_t step) {
    State best = nothing();
    int64_t a = first;
    for (; a + 3 * step < end; a += 4 * step) {
      float value[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) value[k] = x[(a + k * step) * inner];
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (best.at < 0 || better(value[k], best.value)) best = {value[k], a + k * step};
    }
    for (; a < end; a += step)
      if (best.at < 0 || better(x[a * inner], best.value)) best = {x[a * inner], a};
    return best;
  }
  static __device__ void write(State best, float, float* y, int32_t* index) {
    *y = best.value;
    if (index) *index = int32_t(best.at);
  }
};

// Block: `columns` columns (of all outer x inner) by `lanes` threads along a segment of the axis. Lanes are neighbours where
// the axis is contiguous, else columns are. All of it follows from the shape, and so does the order of every sum.
struct Spread {
  int64_t axis, inner, columns_in_all, segments, segment, tiles;
  int columns, lanes;
  Divisor by_inner;

  Spread(int64_t outer, int64_t axis, int64_t inner)
      : axis(axis), inner(inner), columns_in_all(outer * inner), by_inner(inner, outer * inner) {
    const auto few = [&](int64_t least) { return least < columns_in_all; };
    lanes = 1;
    if (inner == 1)
      while (lanes < kThreads && lanes * 4 < axis) lanes *= 2;
    else  // rows of 32 columns (or all there are) keep lines whole
      while (lanes < kThreads && lanes * 8 < axis && columns_in_all * lanes < kThreads * 512 &&
             (kThreads / lanes / 2 >= 32 || !few(kThreads / lanes / 2)))
        lanes *= 2;
    columns = kThreads / lanes;
    tiles = ceil_div<int64_t>(columns_in_all, columns);
    segments = std::max<int64_t>(1, std::min<int64_t>(ceil_div<int64_t>(axis, int64_t(lanes) * 32), 512 / std::max<int64_t>(tiles, 1)));
    segment = ceil_div(axis, segments);
  }
};

// Joins the states of the lanes of a column; lane 0 gets the result.
template <class Op> __device__ typename Op::State join_lanes(typename Op::State state, int column, int columns, int lane, int lanes) {
  using State = typename Op::State;
  if (lanes == 1) return state;
  UAM_SHARED(State, states, [kThreads]);
  states[lane * columns + column] = state;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) states[lane * columns + column] = state = Op::joined(state, states[(lane + half) * columns + column]);
  }
  return state;
}

template <class Op>
__global__ void reduce_kernel(Spread spread, float scale, const float* x, float* y, int32_t* index, typename Op::State* parts) {
  const int thread = int(threadIdx.x);
  const int column = spread.inner == 1 ? thread / spread.lanes : thread % spread.columns;
  const int lane = spread.inner == 1 ? thread % spread.lanes : thread / spread.columns;
  const int64_t tile = blockIdx.x % spread.tiles, segment = blockIdx.x / spread.tiles, c = tile * spread.columns + column;
  typename Op::State state = Op::nothing();
  if (c < spread.columns_in_all) {
    const int64_t o = spread.by_inner.quotient(c), end = min((segment + 1) * spread.segment, spread.axis);
    state = Op::run(x + (o * spread.axis * spread.inner + c - o * spread.inner), spread.inner, segment * spread.segment + lane, end,
                    spread.lanes);
  }
  state = join_lanes<Op>(state, column, spread.columns, lane, spread.lanes);
  if (lane != 0 || c >= spread.columns_in_all) return;
  if (parts) parts[segment * spread.columns_in_all + c] = state;
  else Op::write(state, scale, y + c, index ? index + c : nullptr);
}

// Eight columns a block, 32 threads each: the segments of one column.
template <class Op> __global__ void reduce_parts_kernel(int64_t columns, int64_t segments, float scale, const typename Op::State* parts,
                                                        float* y, int32_t* index) {
  const int column = int(threadIdx.x) % 8, lane = int(threadIdx.x) / 8;
  const int64_t c = blockIdx.x * int64_t(8) + column;
  typename Op::State state = Op::nothing();
  if (c < columns)
    for (int64_t s = lane; s < segments; s += 32) state = Op::joined(state, parts[s * columns + c]);
  state = join_lanes<Op>(state, column, 8, lane, 32);
  if (lane == 0 && c < columns) Op::write(state, scale, y + c, index ? index + c : nullptr);
}

template <class Op> void reduce_with(const Reduce& p) {
  Call call;
  const float* x = call.in(p.x);
  float* y = call.out(p.y);
  int32_t* index = call.out(p.index);
  const Spread spread(p.outer, p.axis, p.inner);
  using State = typename Op::State;
  State* parts = spread.segments > 1 ? call.scratch<State>(spread.segments * spread.columns_in_all) : nullptr;
  call.launch({unsigned(spread.tiles * spread.segments), kThreads}, reduce_kernel<Op>, spread, p.scale, x, y, index, parts);
  if (parts)
    call.launch({unsigned(ceil_div<int64_t>(spread.columns_in_all, 8)), kThreads}, reduce_parts_kernel<Op>, spread.columns_in_all,
                spread.segments, p.scale, parts, y, index);
  call.finish();
}

}  // namespace

void reduce(const Reduce& p) {
  if (p.op == ReduceOp::sum) return reduce_with<Summing>(p);
  if (p.axis == 0 && p.outer * p.inner > 0) throw KernelError("UAM_SHAPE", "the greatest or least of no elements does not exist");
  if (p.op == ReduceOp::max) reduce_with<Extreme<true>>(p);
  else reduce_with<Extreme<false>>(p);
}

}  // namespace uam::cuda
