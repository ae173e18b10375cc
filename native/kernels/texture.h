// Every class of texture features at once. Most of what a class costs is gathering its regions: here that is done once for all.
// The rows are those of the classes' own kernels, to the last bit, side by side.
#pragma once
#include "kernels/firstorder.h"
#include "kernels/glcm.h"
#include "kernels/gldm.h"
#include "kernels/glrlm.h"
#include "kernels/glszm.h"
#include "kernels/ngtdm.h"

namespace uam {

// The settings have the names and meanings that they have in the classes' own contracts.
struct Texture : RoiInput {
  double shift = 0, pixel_area = 1;  // firstorder
  bool excess_kurtosis = false;
  int64_t distance_count = 0;  // glcm, ngtdm, gldm
  In<int32_t> distances;
  bool symmetrical = false;  // glcm
  Weighting weighting = Weighting::average;
  double spacing_x = 1, spacing_y = 1;
  In<double> weights;          // glrlm
  bool skip_isolated = false;  // ngtdm
  double alpha = 0;            // gldm
  // The classes to compute; their columns stand in this order.
  bool firstorder = false, glcm = false, glrlm = false, glszm = false, ngtdm = false, gldm = false;
  int64_t columns = 0;  // of these classes, all together
  Out<double> out;      // [rois, columns]

  template <class V> void fields(V&& v) {
    input_fields(v);
    v.number("shift", shift);
    v.number("pixelArea", pixel_area);
    v.flag("excessKurtosis", excess_kurtosis);
    v.dim("distanceCount", distance_count);
    v.array("distances", distances, {distance_count});
    v.flag("symmetrical", symmetrical);
    v.choice("weighting", weighting, 5);
    v.number("spacingX", spacing_x);
    v.number("spacingY", spacing_y);
    v.optional("weights", weights, {4});
    v.flag("skipIsolated", skip_isolated);
    v.number("alpha", alpha);
    v.flag("firstorder", firstorder);
    v.flag("glcm", glcm);
    v.flag("glrlm", glrlm);
    v.flag("glszm", glszm);
    v.flag("ngtdm", ngtdm);
    v.flag("gldm", gldm);
    v.dim("columns", columns);
    v.array("out", out, {rois, columns});
  }
};

}  // namespace uam
