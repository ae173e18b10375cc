// target[target_offset + <i, target_strides>] = source[source_offset + <i, source_strides>] for every i of `shape`:
// permutes, slices, joins and repeats arrays. Elements are 32 bits wide and copied as they are.
// Target elements must not be written twice (the caller's strides see to that).
#pragma once
#include "params.h"

namespace uam {

struct CopyStrided {
  int64_t rank, source_size, target_size, source_offset, target_offset;
  In<int32_t> shape, source_strides, target_strides;  // [rank]
  In<float> source;                                   // [source_size]
  Out<float> target;                                  // [target_size]; only the elements named above are written
  template <class V> void fields(V&& v) {
    v.dim("rank", rank);
    v.dim("sourceSize", source_size);
    v.dim("targetSize", target_size);
    v.dim("sourceOffset", source_offset);
    v.dim("targetOffset", target_offset);
    v.array("shape", shape, {rank});
    v.array("sourceStrides", source_strides, {rank});
    v.array("targetStrides", target_strides, {rank});
    v.array("source", source, {source_size});
    v.array("target", target, {target_size});
  }
};

}  // namespace uam
