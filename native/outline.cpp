#include "outline.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "outline_measures.h"

namespace uam {

void check_region_size(const RoiMask& mask, int64_t r) {
  const int32_t* box = mask.boxes.data + 4 * r;
  const int64_t width = box[2] - box[0], height = box[3] - box[1];
  if ((width + 2) * (height + 2) > std::numeric_limits<int32_t>::max())
    throw KernelError("UAM_ARGUMENT", "region " + std::to_string(r) + " (label " + std::to_string(mask.ids.data[r]) + ") fills a box of " +
                                          std::to_string(width) + " x " + std::to_string(height) + " pixels, too many for one cell");
}

Region gather_region(const RoiMask& mask, int64_t r, Scratch& scratch) {
  check_region_size(mask, r);
  const int32_t* box = mask.boxes.data + 4 * r;
  const uint32_t id = mask.ids.data[r];
  const int64_t width = box[2] - box[0], height = box[3] - box[1], stride = width + 2;
  uint8_t* grid = scratch.take<uint8_t>(stride * (height + 2));
  std::memset(grid, 0, size_t(stride * (height + 2)));
  int32_t* first = scratch.take<int32_t>(height);
  int32_t* last = scratch.take<int32_t>(height);
  Region region;
  int64_t left = width, right = -1, top = height, bottom = -1;
  for (int64_t y = 0; y < height; ++y) {
    const uint32_t* label = mask.labels.data + (box[1] + y) * mask.width + box[0];
    uint8_t* row = grid + (y + 1) * stride + 1;
    int64_t count = 0;
    for (int64_t x = 0; x < width; ++x) count += row[x] = label[x] == id;
    first[y] = std::numeric_limits<int32_t>::max();
    last[y] = -1;
    if (count == 0) continue;
    int64_t a = 0, b = width - 1;
    while (!row[a]) ++a;
    while (!row[b]) --b;
    first[y] = int32_t(a);
    last[y] = int32_t(b);
    left = std::min(left, a);
    right = std::max(right, b);
    top = std::min(top, y);
    bottom = y;
    region.n += count;
  }
  if (region.n == 0) return region;
  for (int64_t y = top; y <= bottom; ++y) {
    if (last[y] < 0) continue;
    first[y] -= int32_t(left);
    last[y] -= int32_t(left);
  }
  region.left = box[0] + left;
  region.top = box[1] + top;
  region.width = right - left + 1;
  region.height = bottom - top + 1;
  region.stride = stride;
  region.inside = grid + (top + 1) * stride + left + 1;
  region.spans[0] = first + top;
  region.spans[1] = last + top;
  return region;
}

void check_spacing(const Spacing& spacing) {
  for (const double size : {spacing.x, spacing.y}) {
    if (!(size > 0) || !std::isfinite(size))
      throw KernelError("UAM_ARGUMENT", "the size of a pixel must be a positive number, received " + std::to_string(size));
  }
}

Mesh measure_mesh(const Region& region, const Spacing& spacing) {
  int64_t squares[16] = {};  // by which of the four pixels about a corner are inside: 1 and 2 above, 4 and 8 below
  for (int64_t y = -1; y < region.height; ++y) {
    const uint8_t* above = region.inside + y * region.stride;
    const uint8_t* below = above + region.stride;
    unsigned code = 0;
    for (int64_t x = 0; x <= region.width; ++x) {
      code = ((code >> 1) & 5u) | unsigned(above[x]) << 1 | unsigned(below[x]) << 3;
      ++squares[code];
    }
  }
  return mesh_of(squares, spacing);
}

Spread measure_spread(const Region& region, const Spacing& spacing) {
  // Sums of whole numbers in doubles: exact for any cell, so a straight line has no width but what rounding of the root leaves.
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0, sum_yy = 0;
  for (int64_t y = 0; y < region.height; ++y) {
    const uint8_t* row = region.inside + y * region.stride;
    double count = 0, sum = 0, squares = 0;
    for (int64_t x = region.spans[0][y]; x <= region.spans[1][y]; ++x) {
      if (!row[x]) continue;
      count += 1;
      sum += double(x);
      squares += double(x) * double(x);
    }
    sum_x += sum;
    sum_xx += squares;
    sum_y += double(y) * count;
    sum_xy += double(y) * sum;
    sum_yy += double(y) * double(y) * count;
  }
  return spread_of(double(region.n), {sum_x, sum_y, sum_xx, sum_xy, sum_yy}, spacing);
}

Hull hull_of_mesh(const Region& region, Scratch& scratch) { return hull_round(region, 1, scratch); }

Hull hull_of_corners(const Region& region, Scratch& scratch) { return hull_round(region, 2, scratch); }

double diameter_of(const Hull& hull, const Spacing& spacing) {
  // All pairs: a hull on a grid has few corners (about 3.5 size^(2/3)), and nothing can go wrong at parallel edges.
  double longest = 0;
  for (int64_t i = 0; i < hull.size; ++i) {
    for (int64_t j = i + 1; j < hull.size; ++j) {
      const double dx = double(hull.corners[i].x - hull.corners[j].x) * (spacing.x / 2);
      const double dy = double(hull.corners[i].y - hull.corners[j].y) * (spacing.y / 2);
      longest = std::max(longest, dx * dx + dy * dy);
    }
  }
  return std::sqrt(longest);
}

}  // namespace uam
