#include "kernels/texture.h"

#include <algorithm>

#include "each_region.h"

namespace uam::cpu {

namespace {

// What each class would be called with by itself; `out` is missing.
struct Classes {
  const Texture& p;
  Firstorder firstorder;
  Glcm glcm;
  Glrlm glrlm;
  Glszm glszm;
  Ngtdm ngtdm;
  Gldm gldm;

  explicit Classes(const Texture& texture) : p(texture) {
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
    if (p.firstorder) use(firstorder, int64_t(kFirstorderColumns));
    if (p.glcm) use(glcm, int64_t(kGlcmColumns));
    if (p.glrlm) use(glrlm, int64_t(Glrlm::kColumns));
    if (p.glszm) use(glszm, int64_t(Glszm::kColumns));
    if (p.ngtdm) use(ngtdm, int64_t(Ngtdm::kColumns));
    if (p.gldm) use(gldm, int64_t(Gldm::kColumns));
  }
};

}  // namespace

void texture(const Texture& p) {
  check_input(p);
  const Classes classes(p);
  int64_t reach = 0, columns = 0;
  classes.each([&](const auto& own, int64_t own_columns) {
    reach = std::max(reach, check(own));
    columns += own_columns;
  });
  if (p.columns != columns)
    throw KernelError("UAM_SHAPE", "columns must be the " + std::to_string(columns) + " of the classes that are asked for, received " +
                                       std::to_string(p.columns));
  each_region(p, reach, [&](const Roi& roi, int64_t r) {
    double* out = p.out.data + r * columns;
    classes.each([&](const auto& own, int64_t own_columns) {
      fill_row(own, roi, r, out);
      out += own_columns;
    });
  });
}

}  // namespace uam::cpu
