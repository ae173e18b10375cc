// Two rows mixed by a gate that serves a group of neighbouring columns: with column c of group h,
//   y[i,c] = g[i,h] a[i,c] + (1 - g[i,h]) b[i,c]
//   backward: dA = g dy, dB = (1 - g) dy, dG[i,h] = sum over the columns of h of dy (a - b)
#pragma once
#include "params.h"

namespace uam {

struct GateMixFwd {
  int64_t rows, groups, width;  // columns per group
  In<float> gate;               // [rows, groups]
  In<float> a, b;               // [rows, groups, width]
  Out<float> y;                 // [rows, groups, width]
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("groups", groups);
    v.dim("width", width);
    v.array("gate", gate, {rows, groups});
    v.array("a", a, {rows, groups, width});
    v.array("b", b, {rows, groups, width});
    v.array("y", y, {rows, groups, width});
  }
};

struct GateMixBwd {
  int64_t rows, groups, width;
  In<float> gate;       // [rows, groups]
  In<float> a, b, dy;   // [rows, groups, width]
  Out<float> d_gate;    // [rows, groups]; only those wanted
  Out<float> d_a, d_b;  // [rows, groups, width]
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("groups", groups);
    v.dim("width", width);
    v.array("gate", gate, {rows, groups});
    v.array("a", a, {rows, groups, width});
    v.array("b", b, {rows, groups, width});
    v.array("dy", dy, {rows, groups, width});
    v.optional("dGate", d_gate, {rows, groups});
    v.optional("dA", d_a, {rows, groups, width});
    v.optional("dB", d_b, {rows, groups, width});
  }
};

}  // namespace uam
