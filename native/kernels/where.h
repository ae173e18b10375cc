// y[i] = mask[i] ? a[i] : b[i], each array read through strides (0 where an axis repeats), i over `shape` in C order.
#pragma once
#include "params.h"

namespace uam {

struct Where {
  int64_t rank, n, size_mask, size_a, size_b;
  In<int32_t> shape, strides_mask, strides_a, strides_b;  // [rank]
  In<uint8_t> mask;                                       // [size_mask], non-zero chooses a
  In<float> a;                                            // [size_a]
  In<float> b;                                            // [size_b]
  Out<float> y;                                           // [n] = product of shape
  template <class V> void fields(V&& v) {
    v.dim("rank", rank);
    v.dim("n", n);
    v.dim("sizeMask", size_mask);
    v.dim("sizeA", size_a);
    v.dim("sizeB", size_b);
    v.array("shape", shape, {rank});
    v.array("stridesMask", strides_mask, {rank});
    v.array("stridesA", strides_a, {rank});
    v.array("stridesB", strides_b, {rank});
    v.array("mask", mask, {size_mask});
    v.array("a", a, {size_a});
    v.array("b", b, {size_b});
    v.array("y", y, {n});
  }
};

}  // namespace uam
