#include "contours.h"

#include <cstring>
#include <utility>

namespace uam {

namespace {

// Right, down, left, up.
constexpr int64_t kX[4] = {1, 0, -1, 0};
constexpr int64_t kY[4] = {0, 1, 0, -1};

// An edge between a pixel of the region and the background in direction `out`.
struct Edge {
  int64_t x, y;
  int out;
};

// The next edge with the region on the right hand: round a pixel that is ahead on the left, straight on, or about this pixel.
Edge next_edge(const Region& region, const Edge& edge) {
  const auto inside = [&](int64_t x, int64_t y) { return region.inside[y * region.stride + x] != 0; };
  const int ahead = (edge.out + 1) & 3;
  const int64_t x = edge.x + kX[ahead], y = edge.y + kY[ahead];  // in the box or its ring, as is whatever touches it on the left
  if (inside(x + kX[edge.out], y + kY[edge.out])) return {x + kX[edge.out], y + kY[edge.out], (edge.out + 3) & 3};
  if (inside(x, y)) return {x, y, edge.out};
  return {edge.x, edge.y, ahead};
}

int64_t count_edges(const Region& region) {
  int64_t edges = 0;
  for (int64_t y = -1; y < region.height; ++y) {
    const uint8_t* row = region.inside + y * region.stride;
    for (int64_t x = -1; x < region.width; ++x) edges += (row[x] != row[x + 1]) + (row[x] != row[x + region.stride]);
  }
  return edges;
}

}  // namespace

Contours trace_contours(const Region& region, Scratch& scratch) {
  const int64_t edges = count_edges(region);
  Corner* points = scratch.take<Corner>(edges);
  Corner* best = scratch.take<Corner>(edges);
  uint8_t* seen = scratch.take<uint8_t>(region.width * region.height);  // left edges of pixels
  std::memset(seen, 0, size_t(region.width * region.height));
  Contours contours;
  int64_t best_area = 0;
  for (int64_t y = 0; y < region.height; ++y) {
    const uint8_t* row = region.inside + y * region.stride;
    for (int64_t x = region.spans[0][y]; x <= region.spans[1][y]; ++x) {
      if (!row[x] || row[x - 1] || seen[y * region.width + x]) continue;
      const Edge start{x, y, 2};
      Edge edge = start;
      int64_t size = 0, area = 0;  // area: eight times that within
      do {
        if (edge.out == 2) seen[edge.y * region.width + edge.x] = 1;
        points[size++] = {2 * edge.x + kX[edge.out], 2 * edge.y + kY[edge.out]};
        edge = next_edge(region, edge);
        const Corner& from = points[size - 1];
        area += from.x * (2 * edge.y + kY[edge.out]) - from.y * (2 * edge.x + kX[edge.out]);
      } while (edge.x != start.x || edge.y != start.y || edge.out != start.out);
      if (area < 0) {
        ++contours.holes;
        continue;
      }
      ++contours.parts;
      if (area < best_area || (area == best_area && size <= contours.size)) continue;
      best_area = area;
      contours.size = size;
      std::swap(points, best);
    }
  }
  contours.outer = best;
  return contours;
}

int64_t count_filled(const Region& region, Scratch& scratch) {
  const int64_t width = region.width + 2, height = region.height + 2;  // with the ring of background about the box
  uint8_t* closed = scratch.take<uint8_t>(width * height);             // the region, and what was reached
  for (int64_t y = 0; y < height; ++y) std::memcpy(closed + y * width, region.inside + (y - 1) * region.stride - 1, size_t(width));
  int32_t* stack = scratch.take<int32_t>(width * height);
  int64_t waiting = 1, reached = 1;
  stack[0] = 0;
  closed[0] = 1;
  while (waiting > 0) {
    const int64_t at = stack[--waiting], x = at % width, y = at / width;
    for (int k = 0; k < 4; ++k) {
      const int64_t nx = x + kX[k], ny = y + kY[k];
      if (nx < 0 || ny < 0 || nx >= width || ny >= height || closed[ny * width + nx]) continue;
      closed[ny * width + nx] = 1;
      ++reached;
      stack[waiting++] = int32_t(ny * width + nx);
    }
  }
  return width * height - reached;
}

}  // namespace uam
