// A hash table of the labels, with a tally for each, filled by all threads at once: whole numbers, so that the order in which
// pixels arrive changes nothing. Sorting the labels then gives the cells their order. Where there are more labels than the caller
// has room for, a second, larger table counts them.
#include "kernels/label_cells.h"

#include "call.cuh"
#include "image_size.h"
#include "texture_arena.cuh"

namespace uam::cuda {

using Sum = unsigned long long;

struct LabelCensus {
  uint32_t* labels;  // [slots], 0 where free
  int32_t* box;      // [slots, 4]
  Sum* sums;         // [slots, 3] area, sum of x, sum of y
  uint32_t* found;   // [2] labels in the table; labels altogether, where they are too many for it
  int64_t slots, capacity;
};

// Neighbouring labels, and labels that differ in their high bits only, go to different places.
__device__ inline uint64_t mixed(uint32_t label) {
  const uint64_t h = label * 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 32);
}

// The slot of a label, which is added where it is new; -1 where the table is full.
__device__ inline int64_t slot_of(uint32_t* labels, int64_t slots, uint32_t label, uint32_t* found) {
  auto slot = int64_t(mixed(label) & uint64_t(slots - 1));
  for (int64_t probe = 0; probe < slots; ++probe, slot = (slot + 1) & (slots - 1)) {
    uint32_t there = labels[slot];
    if (there == 0) {
      there = atomicCAS(&labels[slot], 0u, label);
      if (there == 0) atomicAdd(found, 1u);
    }
    if (there == 0 || there == label) return slot;
  }
  return -1;
}

__global__ void clear_census_kernel(LabelCensus census) {
  for (int64_t i = first_element(); i < census.slots; i += element_step()) {
    census.labels[i] = 0;
    for (int k = 0; k < 4; ++k) census.box[4 * i + k] = k < 2 ? INT32_MAX : 0;
    for (int k = 0; k < 3; ++k) census.sums[3 * i + k] = 0;
  }
  if (first_element() < 2) census.found[first_element()] = 0;
}

// A warp reads 32 pixels of a row; the first lane of each run of one label adds the run.
__global__ void count_cells_kernel(int64_t height, int64_t width, const uint32_t* labels, LabelCensus census) {
  const int64_t chunks = ceil_div<int64_t>(width, 32), lane = threadIdx.x & 31u;
  for (int64_t w = first_element() / 32; w < height * chunks; w += element_step() / 32) {
    const int64_t y = w / chunks, start = w % chunks * 32, x = start + lane;
    const uint32_t label = x < width ? labels[y * width + x] : 0;
    const uint32_t before = __shfl_up_sync(kWholeWarp, label, 1);
    const bool head = lane == 0 || before != label;
    const unsigned heads = __ballot_sync(kWholeWarp, head);
    if (!head || label == 0 || census.found[0] > uint32_t(census.capacity)) continue;
    const unsigned later = lane == 31 ? 0 : heads >> (lane + 1);
    const int64_t end = later ? x + __ffs(int(later)) : start + 32;  // beyond the row labels are 0
    const int64_t slot = slot_of(census.labels, census.slots, label, census.found);
    if (slot < 0) continue;
    const auto n = Sum(end - x);
    int32_t* box = census.box + 4 * slot;
    atomicMin(&box[0], int32_t(x));
    atomicMin(&box[1], int32_t(y));
    atomicMax(&box[2], int32_t(end));
    atomicMax(&box[3], int32_t(y + 1));
    atomicAdd(&census.sums[3 * slot], n);
    atomicAdd(&census.sums[3 * slot + 1], n * Sum(x) + n * (n - 1) / 2);
    atomicAdd(&census.sums[3 * slot + 2], n * Sum(y));
  }
}

__device__ inline bool too_many(const LabelCensus& census) { return census.found[0] > uint32_t(census.capacity); }

// Counts the labels of one part of all, where they are too many for the census.
__global__ void clear_seen_kernel(LabelCensus census, uint32_t* seen, int64_t slots) {
  if (!too_many(census)) return;
  for (int64_t i = first_element(); i < slots; i += element_step()) seen[i] = 0;
}
__global__ void count_seen_kernel(int64_t pixels, const uint32_t* labels, LabelCensus census, uint32_t* seen, int64_t slots, int64_t part,
                                  int64_t parts) {
  if (!too_many(census)) return;
  for (int64_t i = first_element(); i < pixels; i += element_step()) {
    const uint32_t label = labels[i];
    if (label == 0 || (i > 0 && labels[i - 1] == label)) continue;
    if (int64_t((mixed(label) >> 40) % uint64_t(parts)) == part) slot_of(seen, slots, label, census.found + 1);
  }
}

// The labels with their slots, in any order; what is left of the list is greater than all.
__global__ void fill_list_kernel(Sum* list, int64_t length) {
  for (int64_t i = first_element(); i < length; i += element_step()) list[i] = ~Sum(0);
}
__global__ void list_cells_kernel(LabelCensus census, Sum* list, uint32_t* listed) {
  if (too_many(census)) return;
  for (int64_t i = first_element(); i < census.slots; i += element_step())
    if (census.labels[i] != 0) list[atomicAdd(listed, 1u)] = Sum(census.labels[i]) << 32 | Sum(i);
}

// One step of a bitonic network over a list whose length is a power of two: `mirror` compares with the mirror image in blocks of
// 2^bits, else with what lies 2^(bits - 1) further.
__global__ void order_cells_kernel(Sum* list, int64_t length, int bits, bool mirror) {
  for (int64_t t = first_element(); t < length / 2; t += element_step()) {
    const int64_t half = int64_t(1) << (bits - 1), offset = t & (half - 1), low = ((t >> (bits - 1)) << bits) + offset;
    const int64_t high = mirror ? (low | (2 * half - 1)) - offset : low + half;
    const Sum a = list[low], b = list[high];
    if (b < a) {
      list[low] = b;
      list[high] = a;
    }
  }
}

// The steps within blocks of kOrdered numbers, in shared memory: all of them, or the last ones of a longer merge.
constexpr int kOrderedBits = 11, kOrdered = 1 << kOrderedBits;
__global__ void order_blocks_kernel(Sum* list, int64_t length, bool whole) {
  UAM_SHARED(Sum, own, [kOrdered]);
  Sum* at = list + blockIdx.x * int64_t(kOrdered);
  const int64_t n = length < kOrdered ? length : kOrdered;
  each_of(n, [&](int64_t i) { own[i] = at[i]; });
  __syncthreads();
  if (whole) {
    block_sort(own, n);
  } else {
    for (int j = kOrderedBits - 1; j >= 0; --j) {
      each_of(n / 2, [&](int64_t t) {
        const int64_t low = (t >> j << (j + 1)) + (t & ((int64_t(1) << j) - 1)), high = low + (int64_t(1) << j);
        const Sum a = own[low], b = own[high];
        if (b < a) {
          own[low] = b;
          own[high] = a;
        }
      });
      __syncthreads();
    }
  }
  each_of(n, [&](int64_t i) { at[i] = own[i]; });
}

struct CellRows {
  uint32_t* ids;
  int32_t* boxes;
  uint32_t* areas;
  double* centroids;
  uint8_t* touches;
  double* total;
};

__global__ void write_cells_kernel(int64_t height, int64_t width, LabelCensus census, const Sum* list, CellRows out) {
  const int64_t count = too_many(census) ? 0 : census.found[0];
  if (first_element() == 0) out.total[0] = too_many(census) ? double(census.found[1]) : double(count);
  for (int64_t i = first_element(); i < census.capacity; i += element_step()) {
    const int64_t slot = i < count ? int64_t(list[i] & 0xffffffffu) : 0;
    const Sum* sums = census.sums + 3 * slot;
    const int32_t* box = census.box + 4 * slot;
    out.ids[i] = i < count ? uint32_t(list[i] >> 32) : 0;
    for (int k = 0; k < 4; ++k) out.boxes[4 * i + k] = i < count ? box[k] : 0;
    out.areas[i] = i < count ? uint32_t(sums[0]) : 0;
    for (int k = 0; k < 2; ++k) out.centroids[2 * i + k] = i < count ? double(sums[1 + k]) / double(sums[0]) : 0;
    out.touches[i] = i < count && (box[0] == 0 || box[1] == 0 || box[2] == width || box[3] == height);
  }
}

static int64_t power_of_two(int64_t n) {
  int64_t power = 64;
  while (power < n) power *= 2;
  return power;
}

void label_cells(const LabelCells& p) {
  check_image_size(p.height, p.width);
  Call call;
  const int64_t pixels = p.height * p.width, chunks = p.height * ceil_div<int64_t>(p.width, 32) * 32;
  const int64_t slots = power_of_two(2 * (std::min(p.capacity, pixels) + 1)), length = power_of_two(p.capacity);
  const uint32_t* labels = call.in(p.labels);
  const LabelCensus census{call.scratch<uint32_t>(slots),
                           call.scratch<int32_t>(4 * slots),
                           call.scratch<Sum>(3 * slots),
                           call.scratch<uint32_t>(2),
                           slots,
                           p.capacity};
  Sum* list = call.scratch<Sum>(length);
  uint32_t* listed = call.zeroed<uint32_t>(1);
  const CellRows out{call.out(p.ids), call.out(p.boxes), call.out(p.areas), call.out(p.centroids), call.out(p.touches), call.out(p.total)};
  call.launch_elements(slots, clear_census_kernel, census);
  call.launch_elements(chunks, count_cells_kernel, p.height, p.width, labels, census);
  if (p.capacity < pixels) {  // one part for every 4 million slots
    const int64_t seen_slots = std::min(power_of_two(2 * pixels), int64_t(1) << 23), parts = ceil_div(2 * pixels, seen_slots);
    uint32_t* seen = call.scratch<uint32_t>(seen_slots);
    for (int64_t part = 0; part < parts; ++part) {
      call.launch_elements(seen_slots, clear_seen_kernel, census, seen, seen_slots);
      call.launch_elements(pixels, count_seen_kernel, pixels, labels, census, seen, seen_slots, part, parts);
    }
  }
  call.launch_elements(length, fill_list_kernel, list, length);
  call.launch_elements(slots, list_cells_kernel, census, list, listed);
  const Grid blocks{unsigned(ceil_div<int64_t>(length, kOrdered)), 256};
  call.launch(blocks, order_blocks_kernel, list, length, true);
  for (int bits = kOrderedBits + 1; (int64_t(1) << bits) <= length; ++bits) {
    for (int step = bits; step > kOrderedBits; --step)
      call.launch_elements(length / 2, order_cells_kernel, list, length, step, step == bits);
    call.launch(blocks, order_blocks_kernel, list, length, false);
  }
  call.launch_elements(std::max<int64_t>(p.capacity, 1), write_cells_kernel, p.height, p.width, census, list, out);
  call.finish();
}

}  // namespace uam::cuda
