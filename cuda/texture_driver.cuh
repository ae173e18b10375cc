// How a texture kernel goes through its regions: blocks that stay, each with working memory of its own, take one region after the
// other. Regions go by size: a warp for those of the size of a nucleus, more warps for larger ones.
//
// Boxes, ids and distances have to be known on the host, as the plan is made from them; labels, pixels and rows may live on the card.
#pragma once
#include <cmath>
#include <limits>

#include "texture_arrays.cuh"
#include "each_region.h"
#include "firstorder_block.cuh"
#include "glcm_block.cuh"
#include "gldm_block.cuh"
#include "glrlm_block.cuh"
#include "glszm_block.cuh"
#include "ngtdm_block.cuh"

namespace uam::cuda {

// Regions of one size and the blocks that work on them.
struct RegionPlan {
  const int32_t* order;  // [count] the regions
  int64_t count, reach, bytes;
  char* memory;  // `bytes` for each block
  const double* logs;
  int64_t shared;
};

// `Rows` has input(), and fill(roi, r, arena) that writes row r.
template <class Rows> __global__ void __launch_bounds__(256, 1)
    texture_rows_kernel(const __grid_constant__ Rows rows, const __grid_constant__ RegionPlan plan) {
  for (int64_t k = blockIdx.x; k < plan.count; k += gridDim.x) {
    const int64_t r = plan.order[k];
    char *shared = dynamic_shared<char>(), *memory = plan.memory + blockIdx.x * plan.bytes;
    Arena arena{shared, shared + plan.shared, memory, memory + plan.bytes};
    __syncthreads();                // the region before is done with its memory
    Roi* roi = arena.take<Roi>(1);  // not in every thread's registers
    gather(rows.input(), r, plan.reach, plan.logs, arena, roi);
    rows.fill(*roi, r, arena);
  }
}

// What the host knows of the largest region of a size.
struct RegionBounds {
  int64_t area = 0, padded = 0, side = 0;  // of its box; `padded`: places of its level image
  int64_t levels = 1;
  double highest = 1;  // level
};

// Levels that the values can have, whatever they are.
inline double possible_levels(const RoiInput& p) {
  if (p.bin_count > 0) return double(p.bin_count) + 1;
  if (p.u8 || p.u16) return std::ceil((p.u8 ? 255 : 65535) / p.bin_width) + 2;
  return std::numeric_limits<double>::infinity();
}

inline int64_t steps_within(const In<int32_t>& distances, int64_t side) {
  int64_t steps = 0;
  for (int64_t k = 0; k < distances.size; ++k)
    if (distances.data[k] < side) steps += 4 * int64_t(distances.data[k]);
  return steps;
}

inline int64_t bytes_of(const Firstorder&, const RegionBounds& b) { return 8 * b.area + 64; }
inline int64_t bytes_of(const Glcm& p, const RegionBounds& b) {
  const bool merged = p.weighting != Weighting::average;
  return glcm_bytes(b.area, b.levels, b.highest, steps_within(p.distances, b.side), p.symmetrical, merged);
}
inline int64_t bytes_of(const Glrlm&, const RegionBounds& b) { return glrlm_bytes(b.area, b.levels, 2 * b.padded); }
inline int64_t bytes_of(const Glszm&, const RegionBounds& b) {
  const int64_t counted = pairs_bytes(b.area, b.levels) + size_feature_bytes(b.area, b.levels) + 16 * b.area;
  return 8 * b.area + std::max(8 * b.padded + 64, counted) + 1024;
}
inline int64_t bytes_of(const Gldm& p, const RegionBounds& b) {
  return 8 * steps_within(p.distances, b.side) + 24 * b.area + pairs_bytes(b.area, b.levels) + size_feature_bytes(b.area, b.levels) + 1024;
}
inline int64_t bytes_of(const Ngtdm& p, const RegionBounds& b) {
  return 8 * steps_within(p.distances, b.side) + ngtdm_bytes(b.area, b.levels);
}

// Launches one kernel for each size of region. `need(bounds)`: the bytes that one block takes beyond gathering.
template <class Rows, class Need> void each_region_by_size(Call& call, const RoiInput& host, const Rows& rows, int64_t reach, Need&& need) {
  constexpr int kSizes = 6;
  constexpr int64_t kArea[kSizes] = {1024, 4096, 16384, 65536, 1 << 20, std::numeric_limits<int64_t>::max()};
  constexpr unsigned kThreads[kSizes] = {32, 64, 128, 256, 256, 256};
  constexpr int64_t kMemory = int64_t(1) << 30, kShared = 12 * 1024;
  std::vector<int32_t> lists[kSizes];
  RegionBounds bounds[kSizes];
  const double possible = possible_levels(host);
  for (int64_t r = 0; r < host.rois; ++r) {
    const int32_t* box = host.boxes.data + 4 * r;
    const int64_t width = box[2] - box[0], height = box[3] - box[1], pad = pad_of(host, r, reach), area = width * height;
    int size = 0;
    while (area > kArea[size]) ++size;
    RegionBounds& most_of = bounds[size];
    most_of.area = std::max(most_of.area, area);
    most_of.padded = std::max(most_of.padded, (width + 2 * pad) * (height + 2 * pad));
    most_of.side = std::max({most_of.side, width, height});
    lists[size].push_back(int32_t(r));
  }
  const double* logs = call.upload(kLog2.data(), kLogs);
  for (int size = kSizes - 1; size >= 0; --size) {  // the largest first: they take longest
    const auto count = int64_t(lists[size].size());
    if (count == 0) continue;
    RegionBounds& most_of = bounds[size];
    most_of.highest = possible;
    most_of.levels = possible < double(most_of.area) ? int64_t(possible) : most_of.area;
    const int64_t bytes = (gather_bytes(most_of.area, most_of.padded) + need(most_of) + 255) / 256 * 256;
    const int64_t resident = int64_t(call.multiprocessors()) * (size == 0 ? 16 : 8);
    const int64_t blocks = std::min({count, resident, std::max<int64_t>(kMemory / bytes, 1)});
    const RegionPlan plan{call.upload(lists[size]), count, reach, bytes, call.scratch<char>(blocks * bytes), logs, kShared};
    call.launch({unsigned(blocks), kThreads[size], size_t(kShared)}, texture_rows_kernel<Rows>, rows, plan);
  }
}

// The kernel of a single class.
template <class P> struct ClassRows {
  P p;
  int64_t columns;
  __device__ const RoiInput& input() const { return p; }
  __device__ __forceinline__ void fill(const Roi& roi, int64_t r, const Arena& arena) const {
    fill_row(p, roi, r, p.out.data + r * columns, arena);
  }
};

inline void bring_settings(Call&, Firstorder&) {}
inline void bring_settings(Call&, Glszm&) {}
inline void bring_settings(Call& call, Glrlm& p) { bring(call, p.weights); }
template <class P> void bring_settings(Call& call, P& p) { bring(call, p.distances); }

inline void check_settings(const Firstorder&) {}
inline void check_settings(const Glszm&) {}
inline void check_settings(const Glrlm&) {}
template <class P> void check_settings(const P& p) { want_host("distances", p.distances); }

template <class P> void fill_rows(const P& p) {
  check_host(p);
  check_settings(p);
  check_input(p);
  const int64_t reach = cpu::check(p);
  Call call;
  ClassRows<P> rows{p, p.rois > 0 ? p.out.size / p.rois : 0};
  bring_input(call, rows.p);
  bring_settings(call, rows.p);
  rows.p.out.data = call.out(p.out);
  each_region_by_size(call, p, rows, reach, [&](const RegionBounds& b) { return bytes_of(p, b); });
  call.finish();
}

}  // namespace uam::cuda
