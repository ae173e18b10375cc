#include "kernels/glszm.h"

#include <algorithm>
#include <limits>

#include "each_region.h"
#include "size_matrix.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Disjoint sets of zones. A set is known by its lowest number.
class ZoneSets {
 public:
  ZoneSets(int64_t capacity, Scratch& scratch) : parent_(scratch.take<int32_t>(capacity)), zones_(scratch.take<LevelSize>(capacity)) {}

  int32_t add(int32_t level) {
    parent_[count_] = count_;
    zones_[count_] = {level, 0};
    return count_++;
  }

  void grow(int32_t zone) { ++zones_[zone].size; }

  void unite(int32_t a, int32_t b) {
    a = root(a);
    b = root(b);
    if (a < b) parent_[b] = a;
    else parent_[a] = b;
  }

  // Adds up the sizes of each set, and returns how many sets there are; they then stand first in zones().
  int64_t gather() {
    for (int32_t z = count_ - 1; z >= 0; --z)  // a parent's number is lower: by then it has all of its children
      if (parent_[z] != z) zones_[parent_[z]].size += zones_[z].size;
    int64_t sets = 0;
    for (int32_t z = 0; z < count_; ++z)
      if (parent_[z] == z) zones_[sets++] = zones_[z];
    return sets;
  }

  const LevelSize* zones() const { return zones_; }

 private:
  int32_t root(int32_t z) {
    while (parent_[z] != z) z = parent_[z] = parent_[parent_[z]];
    return z;
  }

  int32_t* parent_;
  LevelSize* zones_;
  int32_t count_ = 0;
};

// Pixels in rows: each joins a neighbour met before. North touches the three others, so it alone suffices; west and north-west touch
// each other; only north-east may belong to another set than those two.
int64_t find_zones(const Roi& roi, ZoneSets& sets, Scratch& scratch) {
  int32_t* zone_at = scratch.take<int32_t>(roi.rows * roi.stride);
  const int32_t* image = roi.image;
  for (int64_t i = 0; i < roi.n; ++i) {
    const int64_t at = roi.at[i], west = at - 1, north = at - roi.stride, north_west = north - 1, north_east = north + 1;
    const int32_t level = image[at];
    int32_t zone;
    if (image[north] == level) {
      zone = zone_at[north];
    } else if (image[north_east] == level) {
      zone = zone_at[north_east];
      if (image[west] == level) sets.unite(zone, zone_at[west]);
      else if (image[north_west] == level) sets.unite(zone, zone_at[north_west]);
    } else if (image[west] == level) {
      zone = zone_at[west];
    } else if (image[north_west] == level) {
      zone = zone_at[north_west];
    } else {
      zone = sets.add(level - 1);
    }
    zone_at[at] = zone;
    sets.grow(zone);
  }
  return sets.gather();
}

void describe(const SizeEntry* entries, int64_t n, const Roi& roi, double* out, Scratch& scratch) {
  Glszm::write(describe_sizes(entries, n, roi, scratch), out);
}

}  // namespace

int64_t check(const Glszm&) { return 1; }

void fill_row(const Glszm& p, const Roi& roi, int64_t r, double* out) {
  Scratch scratch;
  const bool textured = roi.n > 1 && roi.finite;
  SizeEntry* entries = nullptr;
  int64_t n = 0;
  if (textured) {
    ZoneSets sets(roi.n, scratch);
    const int64_t zones = find_zones(roi, sets, scratch);
    entries = scratch.take<SizeEntry>(zones + 1);
    n = count_pairs(sets.zones(), zones, roi.levels, entries, scratch);
    describe(entries, n, roi, out, scratch);
  } else {
    std::fill(out, out + Glszm::kColumns, kNaN);
  }
  if (r == 0 && p.matrix) write_sizes(p, entries, n, roi, scratch);
}

void glszm(const Glszm& p) { fill_rows(p); }

}  // namespace uam::cpu
