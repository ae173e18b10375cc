// One region, gathered by a block: roi.cpp's gather_roi, pixel by pixel at the same time. Everything that is not counted comes from
// roi_levels.h, so that levels are the CPU's.
#pragma once
#include "roi_levels.h"
#include "texture_arena.cuh"

namespace uam::cuda {

template <class T>
__device__ int64_t collect(const T* image, const RoiInput& input, int64_t r, const Roi& roi, double* values, int32_t* at) {
  const int32_t* box = input.boxes.data + 4 * r;
  const uint32_t id = input.ids.data[r], width = uint32_t(box[2] - box[0]), area = width * uint32_t(box[3] - box[1]);
  const auto place_of = [&](int64_t k) {
    const uint32_t y = uint32_t(k) / width;
    return (box[1] + int64_t(y)) * input.width + box[0] + (uint32_t(k) - y * width);
  };
  return each_kept(
      area, [&](int64_t k) { return input.labels.data[place_of(k)] == id; },
      [&](int64_t k, int64_t place) {
        const uint32_t y = uint32_t(k) / width, x = uint32_t(k) - y * width;
        values[place] = double(image[place_of(k)]);
        at[place] = int32_t((int64_t(y) + roi.pad) * roi.stride + roi.pad + x);
      });
}

__device__ inline void find_range(Roi& roi) {
  double low = INFINITY, high = -INFINITY;
  bool finite = true;
  each_of(roi.n, [&](int64_t i) {
    const double x = roi.values[i];
    finite = finite && x - x == 0;
    low = Lesser()(low, x);
    high = Larger()(high, x);
  });
  roi.minimum = block_reduce(low, double(INFINITY), Lesser());
  roi.maximum = block_reduce(high, -double(INFINITY), Larger());
  roi.finite = __syncthreads_or(!finite) == 0;
}

// The pixels outside the range leave the region.
__device__ inline void resegment(const RoiInput& input, Roi& roi, double* values, int32_t* at) {
  const KeptRange range = kept_range(input, values, roi.n, roi.maximum);
  int64_t used = 0;
  for (int64_t base = 0; base < roi.n; base += blockDim.x) {
    const int64_t i = base + threadIdx.x;
    const double value = i < roi.n ? values[i] : NAN;
    const int32_t place = i < roi.n ? at[i] : 0;
    const bool kept = value >= range.low && value <= range.high;
    __syncthreads();  // everyone has read what others overwrite
    const int64_t to = place_in_block(kept, used);
    if (kept) {
      values[to] = value;
      at[to] = place;
    }
  }
  __syncthreads();
  roi.n = used;
}

__device__ inline void find_box(Roi& roi) {
  int32_t left = INT32_MAX, right = -1, top = INT32_MAX, bottom = -1;
  each_of(roi.n, [&](int64_t i) {
    const int32_t y = roi.at[i] / int32_t(roi.stride), x = roi.at[i] - y * int32_t(roi.stride);
    left = Lesser()(left, x), right = Larger()(right, x);
    top = Lesser()(top, y), bottom = Larger()(bottom, y);
  });
  const int32_t least_x = block_reduce(left, INT32_MAX, Lesser()), most_x = block_reduce(right, -1, Larger());
  const int32_t least_y = block_reduce(top, INT32_MAX, Lesser()), most_y = block_reduce(bottom, -1, Larger());
  roi.box_width = most_x - least_x + 1;
  roi.box_height = most_y - least_y + 1;
}

// Numbers the levels that are present and writes the level image.
__device__ inline void find_levels(const RoiInput& input, Roi& roi, int32_t* image, Arena& arena) {
  const Edges edges = edges_of(input, roi.minimum, roi.maximum);
  const double highest = level_of(edges, roi.maximum);
  const bool by_table = highest <= double(kTableLevels);
  const int64_t distinct = by_table && highest < double(roi.n) ? int64_t(highest) : roi.n;
  double* grey = arena.take<double>(distinct);
  int32_t* counts = arena.take<int32_t>(distinct);
  Arena work = arena;
  double* level = work.take<double>(roi.n);
  each_of(roi.n, [&](int64_t i) { level[i] = level_of(edges, roi.values[i]); });
  each_of(roi.rows * roi.stride, [&](int64_t i) { image[i] = 0; });
  if (by_table) {
    const int64_t size = int64_t(highest) + 1;
    int32_t* table = work.take<int32_t>(size);
    each_of(size, [&](int64_t g) { table[g] = 0; });
    __syncthreads();
    each_of(roi.n, [&](int64_t i) { atomicAdd(&table[int32_t(level[i])], 1); });
    __syncthreads();
    roi.levels = int32_t(each_kept(
        size, [&](int64_t g) { return table[g] > 0; },
        [&](int64_t g, int64_t place) {
          grey[place] = double(g);
          counts[place] = table[g];
          table[g] = int32_t(place);
        }));
    each_of(roi.n, [&](int64_t i) { image[roi.at[i]] = table[int32_t(level[i])] + 1; });
  } else {
    double* sorted = work.take<double>(roi.n);
    int32_t* starts = work.take<int32_t>(roi.n);
    each_of(roi.n, [&](int64_t i) { sorted[i] = level[i]; });
    block_sort(sorted, roi.n);
    roi.levels = int32_t(each_run(sorted, roi.n, starts, [&](int64_t k, int64_t first, int64_t end) {
      grey[k] = sorted[first];
      counts[k] = int32_t(end - first);
    }));
    each_of(roi.n, [&](int64_t i) {
      int32_t low = 0, high = roi.levels;  // grey[low] <= level < grey[high]
      while (high - low > 1) {
        const int32_t middle = (low + high) / 2;
        if (grey[middle] <= level[i]) low = middle;
        else high = middle;
      }
      image[roi.at[i]] = low + 1;
    });
  }
  roi.grey = grey;
  roi.counts = counts;
  __syncthreads();  // the image is whole, and `work` may be taken again
}

// Into *result, which lies where all threads can read it. A region without pixels, or with values that are not finite, has no levels.
// `reach`: as gather_roi.
__device__ __forceinline__ void gather(const RoiInput& input, int64_t r, int64_t reach, const double* logs, Arena& arena, Roi* result) {
  const int32_t* box = input.boxes.data + 4 * r;
  const int64_t box_width = box[2] - box[0], box_height = box[3] - box[1], area = box_width * box_height;
  Roi roi;
  roi.logs = logs;
  roi.pad = least(reach, most(box_width, box_height));
  roi.stride = box_width + 2 * roi.pad;
  roi.rows = box_height + 2 * roi.pad;
  int32_t* image = arena.take<int32_t>(roi.rows * roi.stride);
  int32_t* at = arena.take<int32_t>(area);
  double* values = arena.take<double>(area);
  roi.values = values;
  roi.at = at;
  roi.image = image;
  if (input.u8.data) roi.n = collect(input.u8.data, input, r, roi, values, at);
  else if (input.u16.data) roi.n = collect(input.u16.data, input, r, roi, values, at);
  else if (input.f32.data) roi.n = collect(input.f32.data, input, r, roi, values, at);
  else roi.n = collect(input.f64.data, input, r, roi, values, at);
  find_range(roi);
  if (input.resegment != Resegment::none && roi.n > 0 && roi.finite) {
    resegment(input, roi, values, at);
    find_range(roi);
  }
  if (roi.n > 0 && roi.finite) {
    if (input.u8.data) {
      int32_t* histogram = arena.take<int32_t>(256);
      each_of(256, [&](int64_t k) { histogram[k] = 0; });
      __syncthreads();
      each_of(roi.n, [&](int64_t i) { atomicAdd(&histogram[uint8_t(int32_t(values[i]))], 1); });
      roi.histogram = histogram;
    }
    find_box(roi);
    find_levels(input, roi, image, arena);
  }
  if (threadIdx.x == 0) *result = roi;
  __syncthreads();
}

// The bytes that gather() takes at most.
inline int64_t gather_bytes(int64_t area, int64_t padded) { return 48 * area + 4 * padded + 4 * (kTableLevels + 1) + 4096; }

__device__ inline void fill_nan(double* out, int columns) {
  each_of(columns, [&](int64_t k) { out[k] = NAN; });
}

}  // namespace uam::cuda
