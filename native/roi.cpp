#include "roi.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "roi_levels.h"

namespace uam {

void check_mask(const RoiMask& mask) {
  for (int64_t r = 0; r < mask.rois; ++r) {
    const int32_t* box = mask.boxes.data + 4 * r;
    const bool inside = box[0] >= 0 && box[1] >= 0 && box[0] < box[2] && box[1] < box[3] && box[2] <= mask.width && box[3] <= mask.height;
    if (!inside)
      throw KernelError("UAM_ARGUMENT", "box " + std::to_string(r) + " must lie in the image of " + std::to_string(mask.width) + " x " +
                                            std::to_string(mask.height) + " pixels, received [" + std::to_string(box[0]) + ", " +
                                            std::to_string(box[1]) + ", " + std::to_string(box[2]) + ", " + std::to_string(box[3]) + "]");
  }
}

void check_input(const RoiInput& input) {
  check_mask(input);
  const int given = bool(input.u8) + bool(input.u16) + bool(input.f32) + bool(input.f64);
  if (given != 1) throw KernelError("UAM_ARGUMENT", "exactly one of u8, u16, f32 and f64 must be given, received " + std::to_string(given));
  if (!(input.bin_width > 0) || !std::isfinite(input.bin_width))
    throw KernelError("UAM_ARGUMENT", "binWidth must be a positive number, received " + std::to_string(input.bin_width));
  if (input.bin_count > 1000000) throw KernelError("UAM_ARGUMENT", "binCount must be at most 1,000,000");
}

namespace {

// The pixels of the region in rows: what they hold, and their places in the level image of this pad and stride.
template <class T> int64_t collect(const T* image, const RoiMask& mask, int64_t r, int64_t pad, int64_t stride, T* kept, int32_t* at) {
  const int32_t* box = mask.boxes.data + 4 * r;
  const uint32_t id = mask.ids.data[r];
  const int64_t box_width = box[2] - box[0];
  int64_t n = 0;
  for (int64_t y = box[1]; y < box[3]; ++y) {
    const uint32_t* label = mask.labels.data + y * mask.width + box[0];
    const T* pixel = image + y * mask.width + box[0];
    const int32_t row = int32_t((y - box[1] + pad) * stride + pad);
    for (int64_t x = 0; x < box_width; ++x) {  // written always, kept where the label fits: no branch to guess
      kept[n] = pixel[x];
      at[n] = row + int32_t(x);
      n += label[x] == id;
    }
  }
  return n;
}

// The same, with the values as doubles.
template <class T>
void collect_values(const T* image, const RoiMask& mask, int64_t r, Roi& roi, double* values, int32_t* at, Scratch& scratch) {
  const int32_t* box = mask.boxes.data + 4 * r;
  T* kept = scratch.take<T>(int64_t(box[2] - box[0]) * (box[3] - box[1]) + 1);
  roi.n = collect(image, mask, r, roi.pad, roi.stride, kept, at);
  std::copy(kept, kept + roi.n, values);
}

void find_range(Roi& roi) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool finite = true;
  for (int64_t i = 0; i < roi.n; ++i) {
    const double x = roi.values[i];
    finite = finite && std::isfinite(x);
    low = std::min(low, x);
    high = std::max(high, x);
  }
  roi.minimum = low;
  roi.maximum = high;
  roi.finite = finite;
}

// The histogram of 8-bit values; least and greatest are where it begins and ends.
void find_range_of_bytes(Roi& roi, Scratch& scratch) {
  int32_t* histogram = scratch.take<int32_t>(256);
  std::memset(histogram, 0, 256 * sizeof(int32_t));
  for (int64_t i = 0; i < roi.n; ++i) ++histogram[uint8_t(int32_t(roi.values[i]))];
  roi.histogram = histogram;
  if (roi.n == 0) return;
  int low = 0, high = 255;
  while (histogram[low] == 0) ++low;
  while (histogram[high] == 0) --high;
  roi.minimum = low;
  roi.maximum = high;
}

// PyRadiomics' resegmentRange: the pixels outside the range leave the region.
void resegment(const RoiInput& input, Roi& roi, double* values, int32_t* at) {
  const auto [low, high] = kept_range(input, values, roi.n, roi.maximum);
  int64_t kept = 0;
  for (int64_t i = 0; i < roi.n; ++i) {
    if (!(values[i] >= low && values[i] <= high)) continue;
    values[kept] = values[i];
    at[kept++] = at[i];
  }
  roi.n = kept;
}

// The box of the pixels, which come in rows: its top and bottom are those of the first and the last.
void find_box(Roi& roi) {
  int64_t left = roi.stride, right = -1;
  int64_t row = roi.at[0] / roi.stride, row_start = row * roi.stride;
  const int64_t top = row;
  for (int64_t i = 0; i < roi.n; ++i) {
    while (roi.at[i] >= row_start + roi.stride) {
      row_start += roi.stride;
      ++row;
    }
    left = std::min(left, roi.at[i] - row_start);
    right = std::max(right, roi.at[i] - row_start);
  }
  roi.box_width = right - left + 1;
  roi.box_height = row - top + 1;
}

// Numbers the levels that are present, rising. `level` [n] becomes their index; grey and counts are filled.
int32_t compact_by_table(const double* level, int64_t n, int32_t highest, int32_t* index, double* grey, int32_t* counts, Scratch& scratch) {
  int32_t* table = scratch.take<int32_t>(highest + 1);
  std::memset(table, 0, size_t(highest + 1) * sizeof(int32_t));
  for (int64_t i = 0; i < n; ++i) ++table[int32_t(level[i])];
  int32_t levels = 0;
  for (int32_t g = 1; g <= highest; ++g) {
    if (!table[g]) continue;
    grey[levels] = double(g);
    counts[levels] = table[g];
    table[g] = levels++;
  }
  for (int64_t i = 0; i < n; ++i) index[i] = table[int32_t(level[i])];
  return levels;
}

int32_t compact_by_sorting(const double* level, int64_t n, int32_t* index, double* grey, int32_t* counts) {
  std::copy(level, level + n, grey);
  std::sort(grey, grey + n);
  const int32_t levels = int32_t(std::unique(grey, grey + n) - grey);
  std::memset(counts, 0, size_t(levels) * sizeof(int32_t));
  for (int64_t i = 0; i < n; ++i) {
    index[i] = int32_t(std::lower_bound(grey, grey + levels, level[i]) - grey);
    ++counts[index[i]];
  }
  return levels;
}

// Each value's level by itself; `index` [n] becomes the index of the level.
void bin_values(const Edges& edges, Roi& roi, int32_t* index, Scratch& scratch) {
  const int64_t n = roi.n;
  double* level = scratch.take<double>(n);
  for (int64_t i = 0; i < n; ++i) level[i] = level_of(edges, roi.values[i]);
  const double highest = level_of(edges, roi.maximum);
  const int64_t distinct = highest <= double(kTableLevels) ? std::min(n, int64_t(highest)) : n;
  double* grey = scratch.take<double>(distinct);
  int32_t* counts = scratch.take<int32_t>(distinct);
  roi.levels = highest <= double(kTableLevels) ? compact_by_table(level, n, int32_t(highest), index, grey, counts, scratch)
                                               : compact_by_sorting(level, n, index, grey, counts);
  roi.grey = grey;
  roi.counts = counts;
}

// The levels of 8-bit values from their histogram; `index` [n] as above. Levels rise with the values, so the next one is found by
// walking on from the last, which is cheaper than dividing. Where levels are finer than values, walking is not.
void bin_bytes(const Edges& edges, Roi& roi, int32_t* index, Scratch& scratch) {
  const int low = int(roi.minimum), high = int(roi.maximum);
  const int64_t distinct = std::min<int64_t>(roi.n, high - low + 1);
  double* grey = scratch.take<double>(distinct);
  int32_t* counts = scratch.take<int32_t>(distinct);
  const bool walk = edges.step > 0.25;
  double level = level_of(edges, low);
  int32_t index_of[256], last = -1;
  for (int v = low; v <= high; ++v) {
    if (roi.histogram[v] == 0) continue;
    if (!walk) level = level_of(edges, v);
    else
      while (int64_t(level) - 1 != edges.last_index && v >= edges.edge(int64_t(level))) level += 1;
    if (last < 0 || grey[last] != level) {
      grey[++last] = level;
      counts[last] = 0;
    }
    counts[last] += roi.histogram[v];
    index_of[v] = last;
  }
  for (int64_t i = 0; i < roi.n; ++i) index[i] = index_of[uint8_t(int32_t(roi.values[i]))];
  roi.levels = last + 1;
  roi.grey = grey;
  roi.counts = counts;
}

}  // namespace

int64_t pad_of(const RoiInput& input, int64_t r, int64_t reach) {
  const int32_t* box = input.boxes.data + 4 * r;
  const int64_t box_width = box[2] - box[0], box_height = box[3] - box[1];
  const int64_t pad = std::min(reach, std::max(box_width, box_height));
  if ((box_width + 2 * pad) * (box_height + 2 * pad) > std::numeric_limits<int32_t>::max())
    throw KernelError("UAM_ARGUMENT", "region " + std::to_string(r) + " (label " + std::to_string(input.ids.data[r]) + ") fills a box of " +
                                          std::to_string(box_width) + " x " + std::to_string(box_height) +
                                          " pixels, too many for one cell");
  return pad;
}

Roi gather_roi(const RoiInput& input, int64_t r, int64_t reach, Scratch& scratch) {
  const int32_t* box = input.boxes.data + 4 * r;
  const int64_t box_width = box[2] - box[0], box_height = box[3] - box[1], area = box_width * box_height;
  Roi roi;
  roi.logs = kLog2.data();
  roi.pad = pad_of(input, r, reach);
  roi.stride = box_width + 2 * roi.pad;
  roi.rows = box_height + 2 * roi.pad;
  double* values = scratch.take<double>(area);
  int32_t* at = scratch.take<int32_t>(area + 1);  // one more: collect() writes before it knows whether to keep
  roi.values = values;
  roi.at = at;
  if (input.u8) collect_values(input.u8.data, input, r, roi, values, at, scratch);
  else if (input.u16) collect_values(input.u16.data, input, r, roi, values, at, scratch);
  else if (input.f32) collect_values(input.f32.data, input, r, roi, values, at, scratch);
  else collect_values(input.f64.data, input, r, roi, values, at, scratch);
  const auto range = [&] {
    if (input.u8) find_range_of_bytes(roi, scratch);
    else find_range(roi);
  };
  range();
  if (input.resegment != Resegment::none && roi.n > 0 && roi.finite) {
    resegment(input, roi, values, at);
    range();
  }
  if (roi.n == 0 || !roi.finite) return roi;

  find_box(roi);
  const Edges edges = edges_of(input, roi.minimum, roi.maximum);
  int32_t* index = scratch.take<int32_t>(roi.n);
  if (input.u8) bin_bytes(edges, roi, index, scratch);
  else bin_values(edges, roi, index, scratch);
  int32_t* image = scratch.take<int32_t>(roi.rows * roi.stride);
  std::memset(image, 0, size_t(roi.rows * roi.stride) * sizeof(int32_t));
  for (int64_t i = 0; i < roi.n; ++i) image[at[i]] = index[i] + 1;
  roi.image = image;
  return roi;
}

const std::array<double, kLogs> kLog2 = [] {
  std::array<double, kLogs> logs{};
  for (size_t i = 1; i < logs.size(); ++i) logs[i] = std::log2(double(i));
  return logs;
}();

}  // namespace uam
