// Colour deconvolution: how much of each stain there is in a pixel.
//   od[c] = table[rgb[c]]                               the optical density of a channel
//   density[s] = sum over c, in rising c, of od[c] inverse[c, s]
// in float64, rounded to float32 at the end. `inverse` is the inverse of the matrix whose rows are the optical densities of the
// three stains.
#pragma once
#include "params.h"

namespace uam {

struct StainDensity {
  int64_t pixels;
  In<uint8_t> rgb;          // [pixels, 3]
  In<double> table;         // [256]
  In<double> inverse;       // [3, 3]
  Out<float> haematoxylin;  // [pixels], or absent
  Out<float> eosin;         // [pixels], or absent
  Out<float> residual;      // [pixels], or absent
  template <class V> void fields(V&& v) {
    v.dim("pixels", pixels);
    v.array("rgb", rgb, {pixels, 3});
    v.array("table", table, {256});
    v.array("inverse", inverse, {3, 3});
    v.optional("haematoxylin", haematoxylin, {pixels});
    v.optional("eosin", eosin, {pixels});
    v.optional("residual", residual, {pixels});
  }
};

}  // namespace uam
