#include "kernels/texture.h"

#include <algorithm>

#include "each_region.h"

namespace uam::cpu {

namespace {

// What each class would be called with by itself.
struct Classes {
  Firstorder firstorder;
  Glcm glcm;
  Glrlm glrlm;
  Glszm glszm;
  Ngtdm ngtdm;
  Gldm gldm;

  explicit Classes(const Texture& p) {
    const auto take_distances = [&](auto& own) {
      own.distance_count = p.distance_count;
      own.distances = p.distances;
    };
    share(p, p.firstorder, firstorder);
    firstorder.shift = p.shift;
    firstorder.pixel_area = p.pixel_area;
    firstorder.excess_kurtosis = p.excess_kurtosis;
    share(p, p.glcm, glcm);
    take_distances(glcm);
    glcm.symmetrical = p.symmetrical;
    glcm.weighting = p.weighting;
    glcm.spacing_x = p.spacing_x;
    glcm.spacing_y = p.spacing_y;
    share(p, p.glrlm, glrlm);
    glrlm.weights = p.weights;
    share(p, p.glszm, glszm);
    share(p, p.ngtdm, ngtdm);
    take_distances(ngtdm);
    ngtdm.skip_isolated = p.skip_isolated;
    share(p, p.gldm, gldm);
    take_distances(gldm);
    gldm.alpha = p.alpha;
  }

  // Calls use(p) with the parameters of each class that is asked for.
  template <class F> void each(F&& use) const {
    const auto ask = [&](const auto& own) {
      if (own.out) use(own);
    };
    ask(firstorder);
    ask(glcm);
    ask(glrlm);
    ask(glszm);
    ask(ngtdm);
    ask(gldm);
  }

 private:
  template <class P> static void share(const RoiInput& input, const Out<double>& out, P& own) {
    static_cast<RoiInput&>(own) = input;
    own.out = out;
  }
};

}  // namespace

void texture(const Texture& p) {
  check_input(p);
  const Classes classes(p);
  int64_t reach = 0;
  classes.each([&](const auto& own) { reach = std::max(reach, check(own)); });
  each_region(p, reach, [&](const Roi& roi, int64_t r, Scratch&) {
    classes.each([&](const auto& own) {
      Scratch scratch;  // the next class uses the same memory
      fill_row(own, roi, r, scratch);
    });
  });
}

}  // namespace uam::cpu
