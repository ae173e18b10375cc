// Every ring has an edge that climbs the left side of one of its pixels. So the image is searched for such edges in raster order, and
// from each that no ring has yet used a ring is followed, with the cell on its right hand. No per-cell search, however the
// labels are scattered.
#include "kernels/cell_contours.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "image_size.h"
#include "label_table.h"
#include "parallel.h"

namespace uam::cpu {

namespace {

constexpr int kStepX[] = {0, 1, 0, -1}, kStepY[] = {-1, 0, 1, 0};  // up, right, down, left
constexpr int kEndX[] = {0, 1, 1, 0}, kEndY[] = {0, 0, 1, 1};      // where a pixel's edge of that direction ends
constexpr int kUp = 0;

struct Corner {
  int32_t x, y;
  bool operator<(const Corner& o) const { return y != o.y ? y < o.y : x < o.x; }
  bool operator==(const Corner& o) const { return x == o.x && y == o.y; }
};

struct Ring {
  int64_t cell, piece;
  bool hole;
  int64_t begin, end;  // in `points`
};

class Tracer {
 public:
  explicit Tracer(const CellContours& p) : p_(p), walk_of_(size_t(p.height * p.width), 0) {
    for (int64_t i = 0; i < p.count; ++i) {
      const uint32_t id = p.ids.data[i];
      if (id == 0 || table_.number(id) != i || (i > 0 && id < table_.labels()[size_t(i - 1)]))
        throw KernelError("UAM_ARGUMENT", "ids must be rising and not 0, received " + std::to_string(id) + " at " + std::to_string(i));
    }
  }

  std::vector<Corner> points;
  std::vector<Ring> rings;

  void rows(int64_t from, int64_t to) {
    for (int64_t y = from; y < to; ++y) {
      const uint32_t* row = p_.labels.data + y * p_.width;
      uint32_t left = 0;
      for (int64_t x = 0; x < p_.width; ++x) {
        const uint32_t label = row[x];
        if (label != left && label && walk_of_[size_t(y * p_.width + x)] == 0) {
          const int64_t cell = table_.find(label);
          if (cell >= 0) follow(cell, label, x, y);
        }
        left = label;
      }
    }
  }

 private:
  bool inside(int64_t x, int64_t y, uint32_t label) const {
    return x >= 0 && y >= 0 && x < p_.width && y < p_.height && p_.labels.data[y * p_.width + x] == label;
  }

  void follow(int64_t cell, uint32_t label, int64_t x0, int64_t y0) {
    walk_.clear();
    meetings_.clear();
    if (piece_of_.size() >= size_t(INT32_MAX)) throw KernelError("UAM_DATA", "the label image has more than 2^31 outlines");
    const auto number = int32_t(piece_of_.size()) + 1;
    int64_t x = x0, y = y0, twice_area = 0;
    int d = kUp;
    do {
      if (d == kUp) {
        int32_t& used = walk_of_[size_t(y * p_.width + x)];
        if (used) throw KernelError("UAM_ARGUMENT", "the labels changed while they were read");
        used = number;
      }
      const int left = (d + 3) & 3;
      const int64_t ax = x + kStepX[d], ay = y + kStepY[d], bx = ax + kStepX[left], by = ay + kStepY[left];
      const bool ahead = inside(ax, ay, label), beside = inside(bx, by, label);
      if (ahead && !beside) {
        x = ax, y = ay;
        continue;
      }
      const Corner corner{int32_t(x + kEndX[d]), int32_t(y + kEndY[d])};
      if (!ahead && beside) meetings_.push_back(corner);  // two pixels that touch at this corner only: the ring may come back to it
      walk_.push_back(corner);
      if (ahead) x = bx, y = by, d = left;
      else d = (d + 1) & 3;
    } while (x != x0 || y != y0 || d != kUp);

    for (size_t i = 0, j = walk_.size() - 1; i < walk_.size(); j = i++)
      twice_area += int64_t(walk_[j].x) * walk_[i].y - int64_t(walk_[i].x) * walk_[j].y;
    const int64_t piece = twice_area > 0 ? pieces_++ : piece_of_hole(label, x0, y0);
    piece_of_.push_back(piece);
    keep_simple_rings(cell, piece);
  }

  // Left of a hole's first edge, beyond the hole, lies a pixel of the same piece; the left end of its run belongs to a ring that was
  // met before.
  int64_t piece_of_hole(uint32_t label, int64_t x, int64_t y) const {
    const uint32_t* row = p_.labels.data + y * p_.width;
    for (--x; x > 0 && row[x] != label;) --x;
    while (x > 0 && row[x - 1] == label) --x;
    const int32_t walk = x < 0 ? 0 : walk_of_[size_t(y * p_.width + x)];
    if (walk == 0 || size_t(walk) > piece_of_.size()) throw KernelError("UAM_ARGUMENT", "the labels changed while they were read");
    return piece_of_[size_t(walk - 1)];
  }

  void keep(int64_t cell, int64_t piece, const Corner* from, const Corner* to) {
    int64_t twice_area = 0;
    for (const Corner *b = from, *a = to - 1; b < to; a = b++) twice_area += int64_t(a->x) * b->y - int64_t(b->x) * a->y;
    const auto begin = int64_t(points.size());
    points.insert(points.end(), from, to);
    rings.push_back({cell, piece, twice_area < 0, begin, int64_t(points.size())});
  }

  // Cuts the walk where it comes back to a corner.
  void keep_simple_rings(int64_t cell, int64_t piece) {
    std::sort(meetings_.begin(), meetings_.end());
    const bool simple = std::adjacent_find(meetings_.begin(), meetings_.end()) == meetings_.end();
    if (simple) return keep(cell, piece, walk_.data(), walk_.data() + walk_.size());
    meetings_.erase(std::unique(meetings_.begin(), meetings_.end()), meetings_.end());
    place_.assign(meetings_.size(), -1);
    stack_.clear();
    for (const Corner& corner : walk_) {
      const auto at = std::lower_bound(meetings_.begin(), meetings_.end(), corner);
      if (at != meetings_.end() && *at == corner) {
        int64_t& place = place_[size_t(at - meetings_.begin())];
        if (place >= 0) {  // the way since then is a ring of its own, and its corners are forgotten
          keep(cell, piece, stack_.data() + place, stack_.data() + stack_.size());
          for (size_t i = size_t(place) + 1; i < stack_.size(); ++i) {
            const auto gone = std::lower_bound(meetings_.begin(), meetings_.end(), stack_[i]);
            if (gone != meetings_.end() && *gone == stack_[i]) place_[size_t(gone - meetings_.begin())] = -1;
          }
          stack_.resize(size_t(place) + 1);
          continue;
        }
        place = int64_t(stack_.size());
      }
      stack_.push_back(corner);
    }
    keep(cell, piece, stack_.data(), stack_.data() + stack_.size());
  }

  const CellContours& p_;
  LabelTable table_;
  std::vector<int32_t> walk_of_;   // per pixel: which walk climbed its left side, from 1
  std::vector<int64_t> piece_of_;  // per walk
  int64_t pieces_ = 0;
  std::vector<Corner> walk_, meetings_, stack_;
  std::vector<int64_t> place_;  // per meeting: where it stands in stack_
};

}  // namespace

void cell_contours(const CellContours& p) {
  check_image_size(p.height, p.width);
  Tracer tracer(p);
  constexpr int64_t band = 64;
  for (int64_t y = 0; y < p.height; y += band)  // one block at a time, in order: it is here that a call can be aborted
    parallel_for(1, 1, [&](int64_t, int64_t) { tracer.rows(y, std::min(p.height, y + band)); });

  auto& rings = tracer.rings;
  std::stable_sort(rings.begin(), rings.end(), [](const Ring& a, const Ring& b) {
    if (a.cell != b.cell) return a.cell < b.cell;
    return a.piece != b.piece ? a.piece < b.piece : a.hole < b.hole;
  });
  const auto ring_total = int64_t(rings.size()), point_total = int64_t(tracer.points.size());
  if (point_total > INT32_MAX) throw KernelError("UAM_DATA", "the outlines have more than 2^31 points: take the image in parts");
  p.totals.data[0] = double(ring_total);
  p.totals.data[1] = double(point_total);
  std::memset(p.points.data, 0, size_t(p.point_capacity) * 2 * sizeof(double));
  std::memset(p.ring_offsets.data, 0, size_t(p.ring_capacity + 1) * sizeof(int32_t));
  std::memset(p.cell_offsets.data, 0, size_t(p.count + 1) * sizeof(int32_t));
  if (ring_total > p.ring_capacity || point_total > p.point_capacity) return;

  int64_t at = 0;
  for (int64_t r = 0; r < ring_total; ++r) {
    const Ring& ring = rings[size_t(r)];
    for (int64_t i = ring.begin; i < ring.end; ++i, ++at) {
      p.points.data[at * 2] = tracer.points[size_t(i)].x;
      p.points.data[at * 2 + 1] = tracer.points[size_t(i)].y;
    }
    p.ring_offsets.data[r + 1] = int32_t(at);
    p.cell_offsets.data[ring.cell + 1] = int32_t(r + 1);
  }
  for (int64_t i = 0; i < p.count; ++i) p.cell_offsets.data[i + 1] = std::max(p.cell_offsets.data[i], p.cell_offsets.data[i + 1]);
}

}  // namespace uam::cpu
