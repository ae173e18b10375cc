// Every class of texture features at once. Most of what a class costs is gathering its regions: here that is done once for all.
// The rows of a class are those of its own kernel, to the last bit.
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
  // The classes to compute: [rois, columns of the class] each.
  Out<double> firstorder, glcm, glrlm, glszm, ngtdm, gldm;

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
    v.optional("firstorder", firstorder, {rois, kFirstorderColumns});
    v.optional("glcm", glcm, {rois, kGlcmColumns});
    v.optional("glrlm", glrlm, {rois, Glrlm::kColumns});
    v.optional("glszm", glszm, {rois, Glszm::kColumns});
    v.optional("ngtdm", ngtdm, {rois, Ngtdm::kColumns});
    v.optional("gldm", gldm, {rois, Gldm::kColumns});
  }
};

}  // namespace uam
