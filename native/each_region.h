// How a texture kernel goes through its regions: gather each, then let the class fill its row. A class is a contract P with `out`,
// and two functions in uam::cpu, declared beside it:
//   int64_t check(const P&)                                         throws for bad settings; how far the class looks, in pixels
//   void fill_row(const P&, const Roi&, int64_t r, double* out)     writes the row of region r (and of region 0 `matrix`, if given)
#pragma once
#include "parallel.h"
#include "roi.h"

namespace uam::cpu {

constexpr int64_t kRegionsPerBlock = 32;

// Calls use(roi, r) for every region.
template <class F> void each_region(const RoiInput& input, int64_t reach, F&& use) {
  parallel_for(input.rois, kRegionsPerBlock, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Scratch scratch;
      use(gather_roi(input, r, reach, scratch), r);
    }
  });
}

// The kernel of a single class.
template <class P> void fill_rows(const P& p) {
  check_input(p);
  const int64_t columns = p.rois > 0 ? p.out.size / p.rois : 0;
  each_region(p, check(p), [&](const Roi& roi, int64_t r) { fill_row(p, roi, r, p.out.data + r * columns); });
}

}  // namespace uam::cpu
