#include "kernels/rasterize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "image_size.h"
#include "parallel.h"

namespace uam::cpu {

namespace {

constexpr int64_t kBandRows = 64;
constexpr size_t kMostCrossings = 1 << 20;  // kept at a time: a polygon of very many points is done in fewer rows

struct Edge {
  double x1, y1, x2, y2;  // y1 < y2
};

struct Span {
  int64_t begin, end;
};

// The first pixel whose centre is at or beyond `value`, within [0, limit]; any finite value is safe.
int64_t first_centre(double value, double origin, int64_t limit) {
  const double at = std::ceil(value - 0.5 - origin);
  if (!(at > 0)) return 0;
  return at >= double(limit) ? limit : int64_t(at);
}

class Painter {
 public:
  Painter(const Rasterize& p, const std::vector<Span>& rows) : p_(p), rows_(rows) {}

  // Checks every polygon, and finds the rows of the image that it can touch.
  static std::vector<Span> rows_of_all(const Rasterize& p) {
    std::vector<Span> rows(static_cast<size_t>(p.polygons));
    if (p.ring_offsets.sequences() != p.rings || p.polygon_offsets.sequences() != p.polygons)
      throw KernelError("UAM_SHAPE", "ring_offsets and polygon_offsets must have one entry more than there are rings and polygons");
    for (int64_t i = 0; i < p.polygons; ++i) {
      if (p.ids.data[i] == 0) throw KernelError("UAM_ARGUMENT", "polygon " + std::to_string(i) + " has the id 0, which is the background");
      rows[size_t(i)] = rows_of(p, i);
    }
    return rows;
  }

  // Paints number polygon + 1 into the rows [from, to), and returns how many pixels it covers there.
  int64_t paint(int64_t polygon, int64_t from, int64_t to) {
    from = std::max(from, rows_[size_t(polygon)].begin);
    to = std::min(to, rows_[size_t(polygon)].end);
    if (from >= to) return 0;
    collect_edges(polygon, from, to);
    const int64_t step = std::max<int64_t>(1, int64_t(kMostCrossings / (edges_.size() + 1)));
    int64_t covered = 0;
    for (int64_t y = from; y < to; y += step) covered += paint_rows(polygon, y, std::min(to, y + step));
    return covered;
  }

 private:
  static Span rows_of(const Rasterize& p, int64_t polygon) {
    double top = INFINITY, bottom = -INFINITY;
    for (int64_t r = p.polygon_offsets.at(polygon); r < p.polygon_offsets.at(polygon + 1); ++r)
      for (int64_t i = p.ring_offsets.at(r); i < p.ring_offsets.at(r + 1); ++i) {
        const double x = p.xy.data[i * 2], y = p.xy.data[i * 2 + 1];
        if (!std::isfinite(x) || !std::isfinite(y))
          throw KernelError("UAM_DATA", "polygon " + std::to_string(polygon) + " (id " + std::to_string(p.ids.data[polygon]) +
                                            ") has a coordinate that is not a finite number");
        top = std::min(top, y), bottom = std::max(bottom, y);
      }
    if (!(top < bottom)) return {0, 0};
    return {first_centre(top, p.y0, p.height), first_centre(bottom, p.y0, p.height)};
  }

  void collect_edges(int64_t polygon, int64_t from, int64_t to) {
    edges_.clear();
    const double top = double(from) + 0.5 + p_.y0, bottom = double(to) - 0.5 + p_.y0;
    for (int64_t r = p_.polygon_offsets.at(polygon); r < p_.polygon_offsets.at(polygon + 1); ++r) {
      const int64_t begin = p_.ring_offsets.at(r), end = p_.ring_offsets.at(r + 1);
      for (int64_t i = begin, j = end - 1; i < end; j = i++) {
        const double xj = p_.xy.data[j * 2], yj = p_.xy.data[j * 2 + 1], xi = p_.xy.data[i * 2], yi = p_.xy.data[i * 2 + 1];
        if (!(std::min(yi, yj) <= bottom && std::max(yi, yj) > top)) continue;
        if (yj < yi) edges_.push_back({xj, yj, xi, yi});
        else if (yi < yj) edges_.push_back({xi, yi, xj, yj});
      }
    }
  }

  int64_t paint_rows(int64_t polygon, int64_t from, int64_t to) {
    crossings_.clear();
    for (const Edge& e : edges_) {
      const int64_t begin = std::max(from, first_centre(e.y1, p_.y0, p_.height)), end = std::min(to, first_centre(e.y2, p_.y0, p_.height));
      for (int64_t y = begin; y < end; ++y) {
        // Halves of all numbers, so that no difference of two finite numbers overflows. The result is the same.
        const double row = double(y) + 0.5 + p_.y0, t = (row * 0.5 - e.y1 * 0.5) / (e.y2 * 0.5 - e.y1 * 0.5);
        const double x = (e.x1 * 0.5 + t * (e.x2 * 0.5 - e.x1 * 0.5)) * 2;
        crossings_.push_back({y, first_centre(x, p_.x0, p_.width)});
      }
    }
    std::sort(crossings_.begin(), crossings_.end(),
              [](const Crossing& a, const Crossing& b) { return a.y != b.y ? a.y < b.y : a.x < b.x; });
    int64_t covered = 0;
    for (size_t i = 0; i + 1 < crossings_.size(); i += 2) {  // a closed ring crosses a line an even number of times
      const int64_t begin = crossings_[i].x, end = crossings_[i + 1].x;
      uint32_t* row = p_.labels.data + crossings_[i].y * p_.width;
      covered += end - begin;
      for (int64_t x = begin; x < end; ++x)
        if (!p_.keep_first || row[x] == 0) row[x] = uint32_t(polygon + 1);
    }
    return covered;
  }

  struct Crossing {
    int64_t y, x;
  };

  const Rasterize& p_;
  const std::vector<Span>& rows_;
  std::vector<Edge> edges_;
  std::vector<Crossing> crossings_;
};

}  // namespace

void rasterize(const Rasterize& p) {
  check_image_size(p.height, p.width);
  const int64_t bands = (p.height + kBandRows - 1) / kBandRows;
  const std::vector<Span> rows_of = Painter::rows_of_all(p);
  std::vector<std::vector<int32_t>> polygons_of(static_cast<size_t>(bands));
  for (int64_t i = 0; i < p.polygons; ++i) {
    const Span rows = rows_of[size_t(i)];
    if (rows.begin < rows.end)
      for (int64_t band = rows.begin / kBandRows; band <= (rows.end - 1) / kBandRows; ++band)
        polygons_of[size_t(band)].push_back(int32_t(i));
  }

  // Bands count for themselves: whole numbers, added afterwards in the order of the bands.
  struct Count {
    int32_t polygon;
    int64_t covered, visible;
  };
  std::vector<std::vector<Count>> counts(static_cast<size_t>(bands));
  parallel_for(bands, 1, [&](int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end; ++band) {
      const int64_t from = band * kBandRows, to = std::min(p.height, from + kBandRows);
      uint32_t* labels = p.labels.data + from * p.width;
      const int64_t pixels = (to - from) * p.width;
      std::memset(labels, 0, size_t(pixels) * sizeof(uint32_t));
      const auto& here = polygons_of[size_t(band)];
      auto& count = counts[size_t(band)];
      if (here.empty()) continue;
      Painter painter(p, rows_of);
      for (const int32_t i : here) count.push_back({i, painter.paint(i, from, to), 0});
      for (int64_t at = 0; at < pixels;) {
        const uint32_t painted = labels[at];
        const int64_t begin = at++;
        while (at < pixels && labels[at] == painted) ++at;
        if (painted == 0) continue;
        const auto i = int32_t(painted - 1);
        const auto found = std::lower_bound(count.begin(), count.end(), i, [](const Count& c, int32_t value) { return c.polygon < value; });
        if (found == count.end() || found->polygon != i) throw KernelError("UAM_ARGUMENT", "the outputs changed while they were written");
        found->visible += at - begin;
        std::fill(labels + begin, labels + at, p.ids.data[i]);
      }
    }
  });
  std::fill(p.covered.data, p.covered.data + p.polygons, 0.0);
  std::fill(p.visible.data, p.visible.data + p.polygons, 0.0);
  for (const auto& band : counts)
    for (const Count& count : band) {
      p.covered.data[count.polygon] += double(count.covered);
      p.visible.data[count.polygon] += double(count.visible);
    }
}

}  // namespace uam::cpu
