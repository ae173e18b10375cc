// Rows by index, and their gradient:
//   gather   y[o, j, :] = x[o, index[j], :]
//   scatter  dx[o, r, :] = sum over j with index[j] == r, in rising j, of dy[o, j, :]   (zero where there is none)
#pragma once
#include "params.h"

namespace uam {

struct GatherRowsFwd {
  int64_t outer, rows, width, n;
  In<float> x;        // [outer, rows, width]
  In<int32_t> index;  // [n], each in [0, rows)
  Out<float> y;       // [outer, n, width]
  template <class V> void fields(V&& v) {
    v.dim("outer", outer);
    v.dim("rows", rows);
    v.dim("width", width);
    v.dim("n", n);
    v.array("x", x, {outer, rows, width});
    v.array("index", index, {n});
    v.array("y", y, {outer, n, width});
  }
};

struct GatherRowsBwd {
  int64_t outer, rows, width, n;
  In<float> dy;       // [outer, n, width]
  In<int32_t> index;  // [n], each in [0, rows)
  Out<float> dx;      // [outer, rows, width]
  template <class V> void fields(V&& v) {
    v.dim("outer", outer);
    v.dim("rows", rows);
    v.dim("width", width);
    v.dim("n", n);
    v.array("dy", dy, {outer, n, width});
    v.array("index", index, {n});
    v.array("dx", dx, {outer, rows, width});
  }
};

}  // namespace uam
