// How a kernel of form goes through its regions: gather each, then describe it in its row. A contract P has `spacing` and `out`, and
// kColumns numbers per row; a region without a pixel gets NaN throughout.
#pragma once
#include <algorithm>
#include <limits>

#include "parallel.h"
#include "roi.h"

namespace uam::cpu {

// Calls describe(p, region, row, scratch) for every region that has a pixel.
template <class P, class F> void each_form(const P& p, F&& describe) {
  constexpr int64_t kRegionsPerBlock = 16;
  check_mask(p);
  check_spacing(p.spacing);
  parallel_for(p.rois, kRegionsPerBlock, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Scratch scratch;
      const Region region = gather_region(p, r, scratch);
      double* out = p.out.data + r * P::kColumns;
      if (region.n == 0) std::fill(out, out + P::kColumns, std::numeric_limits<double>::quiet_NaN());
      else describe(p, region, out, scratch);
    }
  });
}

}  // namespace uam::cpu
