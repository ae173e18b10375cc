#include "kernels/firstorder.h"

#include <algorithm>
#include <limits>

#include "each_region.h"
#include "firstorder_features.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The values in rising order; nothing where their histogram serves.
const double* sorted_values(const Roi& roi, Scratch& scratch) {
  if (roi.histogram) return nullptr;
  double* sorted = scratch.take<double>(roi.n);
  std::copy(roi.values, roi.values + roi.n, sorted);
  std::sort(sorted, sorted + roi.n);
  return sorted;
}

}  // namespace

int64_t check(const Firstorder&) { return 0; }

void fill_row(const Firstorder& p, const Roi& roi, int64_t, double* out) {
  Scratch scratch;
  if (roi.n == 0 || !roi.finite) std::fill(out, out + kFirstorderColumns, kNaN);
  else firstorder_features(p, roi, sorted_values(roi, scratch), out);
}

void firstorder(const Firstorder& p) { fill_rows(p); }

}  // namespace uam::cpu
