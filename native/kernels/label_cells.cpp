#include "kernels/label_cells.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "image_size.h"
#include "label_table.h"
#include "parallel.h"

namespace uam::cpu {

namespace {

constexpr int64_t kBandRows = 64;

// What is known of a cell so far. Sums of integers: the order in which pixels arrive changes nothing.
struct Tally {
  int64_t x0 = INT64_MAX, y0 = INT64_MAX, x1 = 0, y1 = 0;
  uint64_t area = 0, sum_x = 0, sum_y = 0;

  // Pixels [begin, end) of row y.
  void add_run(int64_t y, int64_t begin, int64_t end) {
    const auto n = uint64_t(end - begin);
    x0 = std::min(x0, begin), x1 = std::max(x1, end);
    y0 = std::min(y0, y), y1 = std::max(y1, y + 1);
    area += n;
    sum_x += n * uint64_t(begin) + n * (n - 1) / 2;
    sum_y += n * uint64_t(y);
  }

  void add(const Tally& other) {
    x0 = std::min(x0, other.x0), x1 = std::max(x1, other.x1);
    y0 = std::min(y0, other.y0), y1 = std::max(y1, other.y1);
    area += other.area, sum_x += other.sum_x, sum_y += other.sum_y;
  }
};

struct Census {
  LabelTable table;
  std::vector<Tally> tallies;

  Tally& of(uint32_t label) {
    const auto number = size_t(table.number(label));
    if (number == tallies.size()) tallies.emplace_back();
    return tallies[number];
  }
};

void count_rows(const LabelCells& p, int64_t from, int64_t to, Census& census) {
  for (int64_t y = from; y < to; ++y) {
    const uint32_t* row = p.labels.data + y * p.width;
    for (int64_t x = 0; x < p.width;) {
      const uint32_t label = row[x];
      const int64_t begin = x++;
      while (x < p.width && row[x] == label) ++x;
      if (label) census.of(label).add_run(y, begin, x);
    }
  }
}

}  // namespace

void label_cells(const LabelCells& p) {
  check_image_size(p.height, p.width);
  const int64_t bands = (p.height + kBandRows - 1) / kBandRows;
  std::vector<Census> parts(static_cast<size_t>(bands));
  parallel_for(bands, 1, [&](int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end; ++band)
      count_rows(p, band * kBandRows, std::min(p.height, (band + 1) * kBandRows), parts[size_t(band)]);
  });

  Census all;
  for (Census& part : parts) {
    for (size_t i = 0; i < part.tallies.size(); ++i) all.of(part.table.labels()[i]).add(part.tallies[i]);
    part = Census();
  }

  const auto& labels = all.table.labels();
  const auto count = int64_t(labels.size());
  p.total.data[0] = double(count);
  std::memset(p.ids.data, 0, size_t(p.capacity) * sizeof(uint32_t));
  std::memset(p.boxes.data, 0, size_t(p.capacity) * 4 * sizeof(int32_t));
  std::memset(p.areas.data, 0, size_t(p.capacity) * sizeof(uint32_t));
  std::memset(p.centroids.data, 0, size_t(p.capacity) * 2 * sizeof(double));
  std::memset(p.touches.data, 0, size_t(p.capacity));
  if (count > p.capacity) return;

  std::vector<size_t> order(labels.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return labels[a] < labels[b]; });
  for (int64_t i = 0; i < count; ++i) {
    const size_t from = order[size_t(i)];
    const Tally& tally = all.tallies[from];
    p.ids.data[i] = labels[from];
    int32_t* box = p.boxes.data + i * 4;
    box[0] = int32_t(tally.x0), box[1] = int32_t(tally.y0), box[2] = int32_t(tally.x1), box[3] = int32_t(tally.y1);
    p.areas.data[i] = uint32_t(tally.area);
    p.centroids.data[i * 2] = double(tally.sum_x) / double(tally.area);
    p.centroids.data[i * 2 + 1] = double(tally.sum_y) / double(tally.area);
    p.touches.data[i] = tally.x0 == 0 || tally.y0 == 0 || tally.x1 == p.width || tally.y1 == p.height;
  }
}

}  // namespace uam::cpu
