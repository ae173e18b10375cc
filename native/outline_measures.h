// What outline.h measures, from what was counted: on any device.
#pragma once
#include <cmath>

#include "outline.h"
#include "scalar.h"

namespace uam {

// `squares`: how many corners of the grid have which of the four pixels about them inside, 1 and 2 above, 4 and 8 below.
UAM_HD inline Mesh mesh_of(const int64_t* squares, const Spacing& spacing) {
  const int64_t one = squares[1] + squares[2] + squares[4] + squares[8];
  const int64_t three = squares[7] + squares[11] + squares[13] + squares[14];
  const int64_t across = squares[6] + squares[9];  // two that touch by a corner: two triangles
  const int64_t level = squares[3] + squares[12], upright = squares[5] + squares[10];
  const double eighths = double(one + 7 * three + 2 * across + 4 * (level + upright) + 8 * squares[15]);
  const double slanted = double(one + three + 2 * across) * (0.5 * sqrt(spacing.x * spacing.x + spacing.y * spacing.y));
  return {eighths / 8 * (spacing.x * spacing.y), double(level) * spacing.x + double(upright) * spacing.y + slanted};
}

// Sums of the coordinates of the pixels and of their products.
struct CoordinateSums {
  double x, y, xx, xy, yy;
};

UAM_HD inline Spread spread_of(double n, const CoordinateSums& sums, const Spacing& spacing) {
  Spread spread;
  spread.mean_x = sums.x / n;
  spread.mean_y = sums.y / n;
  spread.xx = (sums.xx - sums.x * sums.x / n) / n * (spacing.x * spacing.x);
  spread.xy = (sums.xy - sums.x * sums.y / n) / n * (spacing.x * spacing.y);
  spread.yy = (sums.yy - sums.y * sums.y / n) / n * (spacing.y * spacing.y);
  const double half = (spread.xx + spread.yy) / 2, difference = (spread.xx - spread.yy) / 2;
  const double root = sqrt(difference * difference + spread.xy * spread.xy);
  spread.major = most(half + root, 0.0);
  spread.minor = most(half - root, 0.0);
  return spread;
}

// Twice the area of the triangle a b c, positive where it turns clockwise on the screen. Boxes have at most 2^31 pixels, so
// half-pixel coordinates stay below 2^33 and one of the two sides of a box is below 2^17: the products fit.
UAM_HD inline int64_t turn(const Corner& a, const Corner& b, const Corner& c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

// The hull of points of which each line y = first_y, first_y + 1, ... knows its least and greatest x (low > high: no point).
template <class Work> UAM_HD Hull hull_of_lines(const int64_t* low, const int64_t* high, int64_t lines, int64_t first_y, Work& work) {
  Corner* corners = work.template take<Corner>(2 * lines + 2);
  int64_t size = 0;
  const auto add = [&](int64_t start, Corner next) {  // start: where this chain begins
    if (size > start && corners[size - 1].x == next.x && corners[size - 1].y == next.y) return;
    while (size - start >= 2 && turn(corners[size - 2], corners[size - 1], next) <= 0) --size;
    corners[size++] = next;
  };
  for (int64_t k = 0; k < lines; ++k)
    if (low[k] <= high[k]) add(0, {high[k], first_y + k});  // down the right side
  const int64_t bottom = size - 1;
  for (int64_t k = lines - 1; k >= 0; --k)
    if (low[k] <= high[k]) add(bottom, {low[k], first_y + k});  // up the left side
  if (size > 1 && corners[size - 1].x == corners[0].x && corners[size - 1].y == corners[0].y) --size;
  return {size, corners};
}

// Each pixel offers the middles of its four edges (step 1) or its four corners (step 2). Those inside are no vertices of the mesh,
// but never reach the hull either.
template <class Work> UAM_HD Hull hull_round(const Region& region, int step, Work& work) {
  const int64_t lines = 2 * region.height + 1;  // of corners, every second stays empty
  int64_t* low = work.template take<int64_t>(lines);
  int64_t* high = work.template take<int64_t>(lines);
  for (int64_t k = 0; k < lines; ++k) {
    low[k] = INT64_MAX;
    high[k] = INT64_MIN;
  }
  for (int64_t y = 0; y < region.height; ++y) {
    const int64_t first = 2 * int64_t(region.spans[0][y]), last = 2 * int64_t(region.spans[1][y]);
    if (first > last) continue;
    for (int64_t k = 2 * y; k <= 2 * y + 2; k += step) {
      const int64_t side = step == 2 || k == 2 * y + 1;
      low[k] = least(low[k], first - side);
      high[k] = most(high[k], last + side);
    }
  }
  return hull_of_lines(low, high, lines, -1, work);
}

}  // namespace uam
