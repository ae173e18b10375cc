// Group normalisation, channels last (Wu and He 2018). With mean and variance over the pixels and channels of one group g of
// one sample n, and rstd = 1 / sqrt(variance + eps),
//   forward   xhat = (x - mean[n, g]) * rstd[n, g];   y = weight[g, c] * xhat + bias[g, c]
//   backward  s = weight * dy;  dx = rstd * (s - average(s) - xhat * average(s * xhat)), averages over the group
//             dweight[g, c] = sum over n, pixels of dy * xhat;   dbias[g, c] = sum over n, pixels of dy
// groups equal to the channels is instance normalisation. A group without elements has mean 0 and variance 0.
#pragma once
#include "params.h"

namespace uam {

struct GroupnormFwd {
  int64_t batch, pixels, groups, channels;  // channels of one group
  double eps;
  In<float> x;             // [batch, pixels, groups, channels]
  In<float> weight, bias;  // [groups, channels], optional
  Out<float> y;            // [batch, pixels, groups, channels]
  Out<float> mean, rstd;   // [batch, groups]
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("pixels", pixels);
    v.dim("groups", groups);
    v.dim("channels", channels);
    v.number("eps", eps);
    v.array("x", x, {batch, pixels, groups, channels});
    v.optional("weight", weight, {groups, channels});
    v.optional("bias", bias, {groups, channels});
    v.array("y", y, {batch, pixels, groups, channels});
    v.array("mean", mean, {batch, groups});
    v.array("rstd", rstd, {batch, groups});
  }
};

struct GroupnormBwd {
  int64_t batch, pixels, groups, channels;  // channels of one group
  In<float> x, dy;                          // [batch, pixels, groups, channels]
  In<float> mean, rstd;                     // [batch, groups]
  In<float> weight;                         // [groups, channels], optional
  Out<float> dx;                            // [batch, pixels, groups, channels], optional
  Out<float> dweight, dbias;                // [groups, channels], optional
  template <class V> void fields(V&& v) {
    v.dim("batch", batch);
    v.dim("pixels", pixels);
    v.dim("groups", groups);
    v.dim("channels", channels);
    v.array("x", x, {batch, pixels, groups, channels});
    v.array("dy", dy, {batch, pixels, groups, channels});
    v.array("mean", mean, {batch, groups});
    v.array("rstd", rstd, {batch, groups});
    v.optional("weight", weight, {groups, channels});
    v.optional("dx", dx, {batch, pixels, groups, channels});
    v.optional("dWeight", dweight, {groups, channels});
    v.optional("dBias", dbias, {groups, channels});
  }
};

}  // namespace uam
