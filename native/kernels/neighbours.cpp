#include "kernels/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "parallel.h"
#include "scratch.h"

namespace uam::cpu {
namespace {

constexpr int64_t kLeaf = 16;  // points of a leaf, at most

struct Neighbour {
  double squared;
  int64_t index;  // of the point
  int64_t place;  // in the tree's order
  bool operator<(const Neighbour& other) const { return squared != other.squared ? squared < other.squared : index < other.index; }
};

struct Node {
  double low[2], high[2];  // the box of its points
  int64_t begin, end;      // its points, as places in the tree's order
  int64_t least;           // the least index among them: of points at one distance the lower index comes first
  int64_t right;           // its second child (the first stands behind it), 0 for a leaf
};

// A k-d tree over boxes that fit their points. Unlike a grid it does not mind one cell that lies far from all others, nor clusters.
// What it finds does not depend on how it is cut: neighbours are ordered by distance and index alone. Points that are near in the plane
// are near in the tree's order, so that a search after a search finds its memory warm.
class Tree {
 public:
  Tree(const double* points, int64_t n) : order_(size_t(n)), points_(size_t(n) * 2) {
    for (int64_t i = 0; i < n; ++i) order_[size_t(i)] = i;
    nodes_.reserve(size_t(n / (kLeaf / 2) * 2 + 1));
    if (n > 0) build(points, 0, n);
    for (int64_t place = 0; place < n; ++place) {
      points_[size_t(place) * 2] = points[index(place) * 2];
      points_[size_t(place) * 2 + 1] = points[index(place) * 2 + 1];
    }
  }

  int64_t index(int64_t place) const { return order_[size_t(place)]; }

  // The nearest points to the one at `self`, at most `wanted`, as an ascending list. found has room for them.
  int64_t nearest(int64_t self, int64_t wanted, Neighbour* found) const {
    int64_t count = 0;
    if (wanted > 0) search(0, self, wanted, found, count);
    std::sort_heap(found, found + count);
    return count;
  }

  // All points within a squared distance of the one at `self`, in no order.
  void within(int64_t self, double squared, std::vector<Neighbour>& found) const { gather(0, self, squared, found); }

 private:
  int64_t build(const double* points, int64_t begin, int64_t end) {
    const int64_t at = int64_t(nodes_.size());
    nodes_.push_back({});
    Node node{{HUGE_VAL, HUGE_VAL}, {-HUGE_VAL, -HUGE_VAL}, begin, end, std::numeric_limits<int64_t>::max(), 0};
    for (int64_t i = begin; i < end; ++i) {
      const int64_t point = order_[size_t(i)];
      node.least = std::min(node.least, point);
      for (int axis = 0; axis < 2; ++axis) {
        node.low[axis] = std::min(node.low[axis], points[point * 2 + axis]);
        node.high[axis] = std::max(node.high[axis], points[point * 2 + axis]);
      }
    }
    if (end - begin > kLeaf) {
      const int axis = node.high[0] - node.low[0] >= node.high[1] - node.low[1] ? 0 : 1;
      const int64_t middle = begin + (end - begin) / 2;
      std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end, [&](int64_t a, int64_t b) {
        const double xa = points[a * 2 + axis], xb = points[b * 2 + axis];
        return xa != xb ? xa < xb : a < b;
      });
      build(points, begin, middle);
      node.right = build(points, middle, end);
    }
    nodes_[size_t(at)] = node;
    return at;
  }

  double squared_to(const Node& node, int64_t self) const {
    double squared = 0;
    for (int axis = 0; axis < 2; ++axis) {
      const double x = points_[size_t(self * 2 + axis)];
      const double gap = x < node.low[axis] ? node.low[axis] - x : x > node.high[axis] ? x - node.high[axis] : 0.0;
      squared += gap * gap;
    }
    return squared;
  }

  double squared_between(int64_t a, int64_t b) const {
    const double* points = points_.data();
    const double dx = points[a * 2] - points[b * 2], dy = points[a * 2 + 1] - points[b * 2 + 1];
    return dx * dx + dy * dy;
  }

  void search(int64_t at, int64_t self, int64_t wanted, Neighbour* heap, int64_t& count) const {
    const Node& node = nodes_[size_t(at)];
    if (count == wanted && !(Neighbour{squared_to(node, self), node.least, 0} < heap[0])) return;
    if (node.right == 0) {
      for (int64_t other = node.begin; other < node.end; ++other) {
        if (other == self) continue;
        const Neighbour candidate{squared_between(self, other), index(other), other};
        if (count < wanted) {
          heap[count++] = candidate;
          std::push_heap(heap, heap + count);
        } else if (candidate < heap[0]) {
          std::pop_heap(heap, heap + count);
          heap[count - 1] = candidate;
          std::push_heap(heap, heap + count);
        }
      }
      return;
    }
    const int64_t left = at + 1, right = node.right;
    const Node &a = nodes_[size_t(left)], &b = nodes_[size_t(right)];
    const bool left_first = Neighbour{squared_to(a, self), a.least, 0} < Neighbour{squared_to(b, self), b.least, 0};
    search(left_first ? left : right, self, wanted, heap, count);
    search(left_first ? right : left, self, wanted, heap, count);
  }

  void gather(int64_t at, int64_t self, double squared, std::vector<Neighbour>& found) const {
    const Node& node = nodes_[size_t(at)];
    if (!(squared_to(node, self) <= squared)) return;
    if (node.right == 0) {
      for (int64_t other = node.begin; other < node.end; ++other) {
        const double between = squared_between(self, other);
        if (between <= squared && other != self) found.push_back({between, index(other), other});
      }
      return;
    }
    gather(at + 1, self, squared, found);
    gather(node.right, self, squared, found);
  }

  std::vector<int64_t> order_;
  std::vector<double> points_;  // in the tree's order
  std::vector<Node> nodes_;
};

void check(const Neighbours& p) {
  for (int64_t i = 0; i < p.n * 2; ++i) {
    if (!std::isfinite(p.points.data[i]))
      throw KernelError("UAM_ARGUMENT",
                        "points[" + std::to_string(i / 2) + "] must be finite, received " + std::to_string(p.points.data[i]));
  }
  for (int64_t q = 0; q < p.radius_count; ++q) {
    if (!(p.radii.data[q] >= 0))
      throw KernelError("UAM_ARGUMENT", "radii[" + std::to_string(q) + "] must be at least 0, received " + std::to_string(p.radii.data[q]));
  }
}

}  // namespace

void neighbours(const Neighbours& p) {
  check(p);
  const Tree tree(p.points.data, p.n);
  const int64_t wanted = std::min(p.nearest, p.n);  // point i has n - 1 others; room for one more does no harm
  const int64_t features = p.radius_count > 0 ? p.features : 0;
  double widest = -1;
  for (int64_t q = 0; q < p.radius_count; ++q) widest = std::max(widest, p.radii.data[q]);

  std::vector<double> values(size_t(p.n * features));  // [place, feature]: what is summed together lies together
  parallel_for(p.n, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t place = begin; place < end; ++place)
      for (int64_t f = 0; f < features; ++f) values[size_t(place * features + f)] = p.values.data[f * p.n + tree.index(place)];
  });

  parallel_for(p.n, 256, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    Neighbour* room = scratch.take<Neighbour>(wanted);
    double* sums = scratch.take<double>(features);
    int64_t* known = scratch.take<int64_t>(features);
    std::vector<Neighbour> around;
    for (int64_t place = begin; place < end; ++place) {
      const int64_t i = tree.index(place);
      around.clear();
      if (widest >= 0) tree.within(place, widest * widest, around);
      std::sort(around.begin(), around.end());

      const Neighbour* nearest = around.data();
      int64_t count = std::min(wanted, int64_t(around.size()));
      if (count < wanted) {  // those within reach are not enough
        count = tree.nearest(place, wanted, room);
        nearest = room;
      }
      for (int64_t j = 0; j < p.nearest; ++j)
        p.distances.data[i * p.nearest + j] = j < count ? std::sqrt(nearest[j].squared) : std::numeric_limits<double>::quiet_NaN();

      for (int64_t q = 0; q < p.radius_count; ++q) {
        const double squared = p.radii.data[q] * p.radii.data[q];
        const auto beyond =
            std::partition_point(around.begin(), around.end(), [&](const Neighbour& other) { return other.squared <= squared; });
        p.counts.data[q * p.n + i] = double(beyond - around.begin());
        std::fill(sums, sums + features, 0.0);
        std::fill(known, known + features, int64_t(0));
        for (auto other = around.begin(); other != beyond; ++other) {
          const double* row = values.data() + other->place * features;
          for (int64_t f = 0; f < features; ++f) {
            if (std::isnan(row[f])) continue;
            sums[f] += row[f];
            ++known[f];
          }
        }
        for (int64_t f = 0; f < features; ++f)
          p.means.data[(q * p.features + f) * p.n + i] =
              known[f] > 0 ? sums[f] / double(known[f]) : std::numeric_limits<double>::quiet_NaN();
      }
    }
  });
}

}  // namespace uam::cpu
