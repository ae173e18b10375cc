// What this machine can do at best: the loops that every benchmark is held against (bench/floors.ts times them).
//
//   floor_compute   pieces x iterations x kFloorLanes independent operations on registers or the first-level cache:
//                     fma     a = a * s + c        (two floating-point operations each)
//                     exp2    y = 2^x, in the cheapest form there is: the polynomial of vec.h without its clamps, a card's own unit
//                     matrix  kFloorMatrix times as many as fma, in products of bf16 matrices where a device has units for them
//                   result[piece] keeps the work alive.
//   floor_memory    copy   y[i] = a[i]             (2 arrays move)
//                   triad  y[i] = a[i] + s b[i]    (3 arrays move)
//                   with regular stores, or with streaming stores, which pass the caches by.
#pragma once
#include "params.h"

namespace uam {

inline constexpr int64_t kFloorLanes = 3072;  // operations of one iteration; src/ops/floor.ts knows both numbers, too
inline constexpr int64_t kFloorMatrix = 64;

enum class FloorCompute : int32_t { fma, exp2, matrix, count };
enum class FloorMemory : int32_t { copy, triad, count };

struct FloorComputeParams {
  FloorCompute loop;
  int64_t pieces, iterations;
  float s;
  Out<float> result;  // [pieces]
  template <class V> void fields(V&& v) {
    v.choice("loop", loop, int(FloorCompute::count));
    v.dim("pieces", pieces);
    v.dim("iterations", iterations);
    v.number("s", s);
    v.array("result", result, {pieces});
  }
};

struct FloorMemoryParams {
  FloorMemory loop;
  bool streaming;
  int64_t n;
  float s;
  In<float> a, b;  // [n]
  Out<float> y;    // [n]
  template <class V> void fields(V&& v) {
    v.choice("loop", loop, int(FloorMemory::count));
    v.flag("streaming", streaming);
    v.dim("n", n);
    v.number("s", s);
    v.array("a", a, {n});
    v.array("b", b, {n});
    v.array("y", y, {n});
  }
};

}  // namespace uam
