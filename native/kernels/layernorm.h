// Layer normalisation over the last axis (Ba, Kiros & Hinton 2016).
//   mean = sum x / width, var = sum (x - mean)^2 / width, rstd = 1 / sqrt(var + eps)
//   out  = (x - mean) rstd weight + bias
// Backward, with n = (x - mean) rstd and g = dOut weight:
//   dX = rstd (g - mean(g) - n mean(g n)),  dWeight = sum over rows of dOut n,  dBias = sum over rows of dOut
#pragma once
#include "params.h"

namespace uam {

struct LayernormFwd {
  int64_t rows, width;
  float eps;
  In<float> x;             // [rows, width]
  In<float> weight, bias;  // [width], both optional
  Out<float> out;          // [rows, width]
  Out<float> mean, rstd;   // [rows], kept for the backward
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("width", width);
    v.number("eps", eps);
    v.array("x", x, {rows, width});
    v.optional("weight", weight, {width});
    v.optional("bias", bias, {width});
    v.array("out", out, {rows, width});
    v.array("mean", mean, {rows});
    v.array("rstd", rstd, {rows});
  }
};

struct LayernormBwd {
  int64_t rows, width;
  In<float> x, dOut;          // [rows, width]
  In<float> weight;           // [width], optional
  In<float> mean, rstd;       // [rows]
  Out<float> dX;              // [rows, width], optional
  Out<float> dWeight, dBias;  // [width], optional
  template <class V> void fields(V&& v) {
    v.dim("rows", rows);
    v.dim("width", width);
    v.array("x", x, {rows, width});
    v.array("dOut", dOut, {rows, width});
    v.optional("weight", weight, {width});
    v.array("mean", mean, {rows});
    v.array("rstd", rstd, {rows});
    v.optional("dX", dX, {rows, width});
    v.optional("dWeight", dWeight, {width});
    v.optional("dBias", dBias, {width});
  }
};

}  // namespace uam
