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

// What each class would be called with by itself; `out` is missing.
struct TextureClasses {
  bool asked[6];
  Firstorder firstorder;
  Glcm glcm;
  Glrlm glrlm;
  Glszm glszm;
  Ngtdm ngtdm;
  Gldm gldm;

  explicit TextureClasses(const Texture& p) : asked{p.firstorder, p.glcm, p.glrlm, p.glszm, p.ngtdm, p.gldm} {
    for (RoiInput* input : {static_cast<RoiInput*>(&firstorder), static_cast<RoiInput*>(&glcm), static_cast<RoiInput*>(&glrlm),
                            static_cast<RoiInput*>(&glszm), static_cast<RoiInput*>(&ngtdm), static_cast<RoiInput*>(&gldm)})
      *input = p;
    firstorder.shift = p.shift;
    firstorder.pixel_area = p.pixel_area;
    firstorder.excess_kurtosis = p.excess_kurtosis;
    glcm.distance_count = ngtdm.distance_count = gldm.distance_count = p.distance_count;
    glcm.distances = ngtdm.distances = gldm.distances = p.distances;
    glcm.symmetrical = p.symmetrical;
    glcm.weighting = p.weighting;
    glcm.spacing_x = p.spacing_x;
    glcm.spacing_y = p.spacing_y;
    glrlm.weights = p.weights;
    ngtdm.skip_isolated = p.skip_isolated;
    gldm.alpha = p.alpha;
  }

  // Calls use(its parameters, its number of columns) for each class that is asked for, in the order of the columns.
  template <class F> void each(F&& use) const {
    if (asked[0]) use(firstorder, int64_t(kFirstorderColumns));
    if (asked[1]) use(glcm, int64_t(kGlcmColumns));
    if (asked[2]) use(glrlm, int64_t(Glrlm::kColumns));
    if (asked[3]) use(glszm, int64_t(Glszm::kColumns));
    if (asked[4]) use(ngtdm, int64_t(Ngtdm::kColumns));
    if (asked[5]) use(gldm, int64_t(Gldm::kColumns));
  }
};

// Throws unless p.columns is the sum over the classes that are asked for.
void check_columns(const Texture& p, int64_t columns);

}  // namespace uam
