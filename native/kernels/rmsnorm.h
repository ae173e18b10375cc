// Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019), with the residual sum before it and the
// gate after it that Mamba blocks use.
//   h = x + residual,  rstd = 1 / sqrt(sum h^2 / width + eps),  n = h rstd
//   out = n weight silu(z),  silu(z) = z / (1 + e^-z)
// Backward, with g = dOut weight silu(z):
//   dH = rstd (g - n mean(g n)) + dResidualOut, the gradient of x and of residual alike
//   dWeight = sum over rows of dOut n silu(z),  dZ = dOut n weight silu'(z)
#pragma once
#include "params.h"

namespace uam {

struct RmsnormFwd {
  int64_t rows, width;
  float eps;
  In<float> x;             // [rows, width]
  In<float> residual, z;   // [rows, width], optional
  In<float> weight;        // [width], optional
  Out<float> out;          // [rows, width]
  Out<float> residualOut;  // [rows, width]: h; present exactly when residual is
  Out<float> rstd;         // [rows], kept for the backward
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("width", width);
    v.number("eps", eps);
    v.array("x", x, {rows, width});
    v.optional("residual", residual, {rows, width});
    v.optional("z", z, {rows, width});
    v.optional("weight", weight, {width});
    v.array("out", out, {rows, width});
    v.optional("residualOut", residualOut, {rows, width});
    v.array("rstd", rstd, {rows});
  }
};

struct RmsnormBwd {
  int64_t rows, width;
  In<float> h, dOut;       // [rows, width]; h is x, or residualOut where there was a residual
  In<float> z;             // [rows, width], optional
  In<float> weight;        // [width], optional
  In<float> rstd;          // [rows]
  In<float> dResidualOut;  // [rows, width], optional
  Out<float> dH, dZ;       // [rows, width], optional
  Out<float> dWeight;      // [width], optional
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("width", width);
    v.array("h", h, {rows, width});
    v.array("dOut", dOut, {rows, width});
    v.optional("z", z, {rows, width});
    v.optional("weight", weight, {width});
    v.array("rstd", rstd, {rows});
    v.optional("dResidualOut", dResidualOut, {rows, width});
    v.optional("dH", dH, {rows, width});
    v.optional("dZ", dZ, {rows, width});
    v.optional("dWeight", dWeight, {width});
  }
};

}  // namespace uam
