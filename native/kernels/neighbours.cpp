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
  int64_t index;
  bool operator<(const Neighbour& other) const { return squared != other.squared ? squared < other.squared : index < other.index; }
};

struct Node {
  double low[2], high[2];  // the box of its points
  int64_t begin, end;      // its points, as places in `order`
  int64_t least;           // the least index among them: of points at one distance the lower index comes first
  int64_t right;           // its second child (the first stands behind it), 0 for a leaf
};

// A k-d tree over boxes that fit their points. Unlike a grid it does not mind one cell that lies far from all others, nor clusters.
// What it finds does not depend on how it is cut: neighbours are ordered by distance and index alone.
class Tree {
 public:
  Tree(const double* points, int64_t n) : points_(points), order_(size_t(n)) {
    for (int64_t i = 0; i < n; ++i) order_[size_t(i)] = i;
    nodes_.reserve(size_t(n / (kLeaf / 2) * 2 + 1));
    if (n > 0) build(0, n);
  }

  // The `wanted` nearest points of `self` as an ascending list. found has room for them.
  int64_t nearest(int64_t self, int64_t wanted, Neighbour* found) const {
    int64_t count = 0;
    if (wanted > 0) search(0, self, wanted, found, count);
    std::sort_heap(found, found + count);
    return count;
  }

  // All points within a squared distance, in no order.
  void within(int64_t self, double squared, std::vector<Neighbour>& found) const { gather(0, self, squared, found); }

 private:
  int64_t build(int64_t begin, int64_t end) {
    const int64_t at = int64_t(nodes_.size());
    nodes_.push_back({});
    Node node{{HUGE_VAL, HUGE_VAL}, {-HUGE_VAL, -HUGE_VAL}, begin, end, std::numeric_limits<int64_t>::max(), 0};
    for (int64_t i = begin; i < end; ++i) {
      const int64_t point = order_[size_t(i)];
      node.least = std::min(node.least, point);
      for (int axis = 0; axis < 2; ++axis) {
        node.low[axis] = std::min(node.low[axis], points_[point * 2 + axis]);
        node.high[axis] = std::max(node.high[axis], points_[point * 2 + axis]);
      }
    }
    if (end - begin > kLeaf) {
      const int axis = node.high[0] - node.low[0] >= node.high[1] - node.low[1] ? 0 : 1;
      const int64_t middle = begin + (end - begin) / 2;
      std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end, [&](int64_t a, int64_t b) {
        const double xa = points_[a * 2 + axis], xb = points_[b * 2 + axis];
        return xa != xb ? xa < xb : a < b;
      });
      build(begin, middle);
      node.right = build(middle, end);
    }
    nodes_[size_t(at)] = node;
    return at;
  }

  double squared_to(const Node& node, int64_t self) const {
    double squared = 0;
    for (int axis = 0; axis < 2; ++axis) {
      const double x = points_[self * 2 + axis];
      const double gap = x < node.low[axis] ? node.low[axis] - x : x > node.high[axis] ? x - node.high[axis] : 0.0;
      squared += gap * gap;
    }
    return squared;
  }

  double squared_between(int64_t a, int64_t b) const {
    const double dx = points_[a * 2] - points_[b * 2], dy = points_[a * 2 + 1] - points_[b * 2 + 1];
    return dx * dx + dy * dy;
  }

  void search(int64_t at, int64_t self, int64_t wanted, Neighbour* heap, int64_t& count) const {
    const Node& node = nodes_[size_t(at)];
    if (count == wanted && !(Neighbour{squared_to(node, self), node.least} < heap[0])) return;
    if (node.right == 0) {
      for (int64_t i = node.begin; i < node.end; ++i) {
        const int64_t other = order_[size_t(i)];
        if (other == self) continue;
        const Neighbour candidate{squared_between(self, other), other};
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
    const bool left_first = Neighbour{squared_to(a, self), a.least} < Neighbour{squared_to(b, self), b.least};
    search(left_first ? left : right, self, wanted, heap, count);
    search(left_first ? right : left, self, wanted, heap, count);
  }

  void gather(int64_t at, int64_t self, double squared, std::vector<Neighbour>& found) const {
    const Node& node = nodes_[size_t(at)];
    if (!(squared_to(node, self) <= squared)) return;
    if (node.right == 0) {
      for (int64_t i = node.begin; i < node.end; ++i) {
        const int64_t other = order_[size_t(i)];
        if (other == self) continue;
        const double between = squared_between(self, other);
        if (between <= squared) found.push_back({between, other});
      }
      return;
    }
    gather(at + 1, self, squared, found);
    gather(node.right, self, squared, found);
  }

  const double* points_;
  std::vector<int64_t> order_;
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
  double widest = -1;
  for (int64_t q = 0; q < p.radius_count; ++q) widest = std::max(widest, p.radii.data[q]);

  parallel_for(p.n, 256, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    Neighbour* nearest = scratch.take<Neighbour>(wanted);
    std::vector<Neighbour> around;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t count = tree.nearest(i, wanted, nearest);
      for (int64_t j = 0; j < p.nearest; ++j)
        p.distances.data[i * p.nearest + j] = j < count ? std::sqrt(nearest[j].squared) : std::numeric_limits<double>::quiet_NaN();

      around.clear();
      if (widest >= 0) tree.within(i, widest * widest, around);
      std::sort(around.begin(), around.end());
      for (int64_t q = 0; q < p.radius_count; ++q) {
        const double squared = p.radii.data[q] * p.radii.data[q];
        const auto beyond =
            std::partition_point(around.begin(), around.end(), [&](const Neighbour& other) { return other.squared <= squared; });
        p.counts.data[q * p.n + i] = double(beyond - around.begin());
        for (int64_t f = 0; f < p.features; ++f) {
          const double* values = p.values.data + f * p.n;
          double sum = 0;
          int64_t known = 0;
          for (auto other = around.begin(); other != beyond; ++other) {
            const double value = values[other->index];
            if (std::isnan(value)) continue;
            sum += value;
            ++known;
          }
          p.means.data[(q * p.features + f) * p.n + i] = known > 0 ? sum / double(known) : std::numeric_limits<double>::quiet_NaN();
        }
      }
    }
  });
}

}  // namespace uam::cpu
