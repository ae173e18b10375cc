#include "kernels/texture.h"

#include <algorithm>

#include "each_region.h"

namespace uam {

void check_columns(const Texture& p, int64_t columns) {
  if (p.columns != columns)
    throw KernelError("UAM_SHAPE", "columns must be the " + std::to_string(columns) + " of the classes that are asked for, received " +
                                       std::to_string(p.columns));
}

}  // namespace uam

namespace uam::cpu {

void texture(const Texture& p) {
  check_input(p);
  const TextureClasses classes(p);
  int64_t reach = 0, columns = 0;
  classes.each([&](const auto& own, int64_t own_columns) {
    reach = std::max(reach, check(own));
    columns += own_columns;
  });
  check_columns(p, columns);
  each_region(p, reach, [&](const Roi& roi, int64_t r) {
    double* out = p.out.data + r * columns;
    classes.each([&](const auto& own, int64_t own_columns) {
      fill_row(own, roi, r, out);
      out += own_columns;
    });
  });
}

}  // namespace uam::cpu
