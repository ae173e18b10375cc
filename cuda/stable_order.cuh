// Items in the order of their keys, items of equal keys in their own order: a counting sort whose result depends on nothing else.
//
// A warp takes a unit, a run of consecutive items. First every unit counts its keys; running sums over (key, unit) then say where
// the unit's first item of each key goes; and each warp goes through its unit again, 32 items at a time, and hands out the places.
#pragma once
#include "call.cuh"
#include "prefix_sum.cuh"

namespace uam::cuda {

inline constexpr int kUnitWarps = 4, kUnitThreads = kUnitWarps * 32;
inline constexpr int32_t kNoKey = -1;  // an item that takes no place

struct KeyUnits {
  int64_t items, keys, per_unit, units;
  int32_t* table;  // [keys, units]: counts, then places
  bool in_shared;  // whether the units' own counters fit into shared memory; else they live in `table`
};

// Where a unit counts or goes on: counter of key k is at[k * stride].
struct UnitCounters {
  int32_t* at;
  int64_t stride;
  __device__ int32_t& operator[](int32_t key) const { return at[key * stride]; }
};

__device__ inline UnitCounters counters_of(const KeyUnits& u, int64_t unit) {
  if (u.in_shared) return {dynamic_shared<int32_t>() + threadIdx.x / 32 * u.keys, 1};
  return {u.table + unit, u.units};
}

// `key_of(item)` is 0 .. keys - 1, or kNoKey.
template <class KeyOf> __global__ void __launch_bounds__(kUnitThreads) count_keys_kernel(KeyUnits u, KeyOf key_of) {
  const int64_t unit = blockIdx.x * int64_t(kUnitWarps) + threadIdx.x / 32;
  if (unit >= u.units) return;
  const int lane = int(threadIdx.x % 32);
  const UnitCounters counters = counters_of(u, unit);
  for (int64_t key = lane; key < u.keys; key += 32) counters[int32_t(key)] = 0;
  __syncwarp();
  const int64_t end = min((unit + 1) * u.per_unit, u.items);
  for (int64_t item = unit * u.per_unit + lane; item < end; item += 32) {
    const int32_t key = key_of(item);
    if (key != kNoKey) atomicAdd(&counters[key], 1);
  }
  __syncwarp();
  if (u.in_shared)
    for (int64_t key = lane; key < u.keys; key += 32) u.table[key * u.units + unit] = counters[int32_t(key)];
}

// starts[k] = items of lower keys; starts[keys] = all that have a key
static __global__ void key_starts_kernel(KeyUnits u, int32_t* starts) {
  for (int64_t key = first_element(); key <= u.keys; key += element_step()) starts[key] = u.table[key * u.units];
}

// Calls place(item, key, position) for every item; kNoKey has no position.
template <class KeyOf, class Place> __global__ void __launch_bounds__(kUnitThreads)
    place_keys_kernel(KeyUnits u, KeyOf key_of, Place place) {
  const int64_t unit = blockIdx.x * int64_t(kUnitWarps) + threadIdx.x / 32;
  if (unit >= u.units) return;
  const int lane = int(threadIdx.x % 32);
  const UnitCounters next = counters_of(u, unit);
  if (u.in_shared)
    for (int64_t key = lane; key < u.keys; key += 32) next[int32_t(key)] = u.table[key * u.units + unit];
  __syncwarp();
  const int64_t end = min((unit + 1) * u.per_unit, u.items);
  for (int64_t first = unit * u.per_unit; first < end; first += 32) {
    const int64_t item = first + lane;
    const int32_t key = item < end ? key_of(item) : kNoKey;
    const unsigned equal = __match_any_sync(kWholeWarp, key);
    const int before = __popc(equal & ((1u << lane) - 1u));  // lanes of the same key that come first
    const int32_t position = key == kNoKey ? 0 : next[key] + before;
    __syncwarp();  // all have read what the first of them moves on
    if (key != kNoKey && before == 0) next[key] += __popc(equal);
    __syncwarp();
    if (item < end) place(item, key, position);
  }
}

inline Grid unit_grid(const KeyUnits& u) {
  return {unsigned(ceil_div<int64_t>(u.units, kUnitWarps)), kUnitThreads, u.in_shared ? size_t(kUnitWarps * u.keys) * sizeof(int32_t) : 0};
}

// Counts, and says where keys start: starts (null: nobody asks) has keys + 1 numbers.
template <class KeyOf> KeyUnits count_keys(Call& call, int64_t items, int64_t keys, KeyOf key_of, int32_t* starts) {
  KeyUnits u{items, keys, 0, 0, nullptr, keys <= 3072};
  u.per_unit = std::max<int64_t>(256, ceil_div<int64_t>(keys * 4, 32) * 32);  // so that the table stays smaller than the items
  u.units = std::max<int64_t>(1, ceil_div(items, u.per_unit));
  u.table = call.scratch<int32_t>(keys * u.units + 1);
  call.launch(unit_grid(u), count_keys_kernel<KeyOf>, u, key_of);
  exclusive_sums(call, keys * u.units + 1, u.table);  // the last one's own value adds to nothing
  if (starts) call.launch_elements(keys + 1, key_starts_kernel, u, starts);
  return u;
}

// After count_keys, with the same keys; once.
template <class KeyOf, class Place> void place_keys(Call& call, const KeyUnits& u, KeyOf key_of, Place place) {
  call.launch(unit_grid(u), place_keys_kernel<KeyOf, Place>, u, key_of, place);
}

}  // namespace uam::cuda
