// What the emulation of CUDA (cuda/emulated/) promises to find, each in a program of its own: `emulation <name>` breaks one rule on
// purpose, or computes something that is known. emulation.test.ts compiles and runs it.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "mma.cuh"

using namespace uam;
using namespace uam::cuda;

namespace {

void launch(unsigned blocks, unsigned threads, const std::function<void()>& body, size_t shared = 0) {
  emulated::run({blocks, 1, 1}, {threads, 1, 1}, shared, body);
}

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(3);
}

template <class T> T* device(size_t n) {
  T* at = nullptr;
  expect(cudaMalloc(&at, n * sizeof(T)) == cudaSuccess, "memory was given");
  return at;
}

// ---- rules broken on purpose ----
void barrier_that_some_threads_skip() {
  launch(1, 64, [] {
    if (threadIdx.x < 40) __syncthreads();
  });
}

void warp_barrier_that_some_lanes_skip() {
  launch(1, 32, [] {
    if (threadIdx.x < 16) __syncwarp();
    else __syncthreads();
  });
}

void exchange_with_an_absent_lane() {
  launch(1, 8, [] { __shfl_sync(kWholeWarp, 1, 20); });
}

void mask_without_oneself() {
  launch(1, 32, [] { __syncwarp(1u); });
}

void write_past_the_end() {
  auto* x = device<float>(100);
  launch(1, 128, [=] { x[threadIdx.x] = 1.f; });  // no `if (threadIdx.x < 100)`
  cudaFree(x);
}

void read_of_a_page_past_the_end() {
  auto* x = device<float>(64);
  static volatile float seen;
  launch(1, 1, [=] { seen = x[64]; });
}

void misaligned_asynchronous_copy() {
  auto* x = device<float>(64);
  launch(1, 1, [=] {
    UAM_SHARED(float, tile, [64]);
    copy_async_16(tile, x + 1);
  });
}

void more_shared_memory_than_a_block_has() {
  launch(
      1, 1, [] {}, 228 * 1024);
}

void grid_that_is_too_high() {
  emulated::run({1, 65536, 1}, {1, 1, 1}, 0, [] {});
}

// ---- what a mistake leads to ----
// Every thread reads what its neighbour wrote. With the barrier all is well, without it some thread is always wrong, whichever block.
bool neighbours_agree(bool with_barrier, unsigned blocks) {
  auto* right = device<int>(blocks);
  for (unsigned i = 0; i < blocks; ++i) right[i] = 1;
  launch(blocks, 64, [=] {
    UAM_SHARED(int, written, [64]);
    written[threadIdx.x] = int(threadIdx.x);
    if (with_barrier) __syncthreads();
    const unsigned next = (threadIdx.x + 1) % 64, before = (threadIdx.x + 63) % 64;
    if (written[next] != int(next) || written[before] != int(before)) right[blockIdx.x] = 0;
  });
  bool all = true, any = false;
  for (unsigned i = 0; i < blocks; ++i) {
    all = all && right[i];
    any = any || right[i];
  }
  cudaFree(right);
  expect(all == any, "every block finds the same");
  return all;
}

void missing_barrier() {
  expect(neighbours_agree(true, 4), "with the barrier all neighbours agree");
  expect(!neighbours_agree(false, 4), "without it no block passes");
}

// The second of two barriers in a loop: without it a fast thread overwrites what a slow one has yet to read, in blocks of either order.
void overwritten_too_early() {
  for (const bool with_barrier : {true, false}) {
    auto* wrong = device<int>(2);
    wrong[0] = wrong[1] = 0;
    launch(2, 32, [=] {
      UAM_SHARED(int, round_of, [1]);
      for (int round = 0; round < 4; ++round) {
        if (threadIdx.x == 5) round_of[0] = round;
        __syncthreads();
        if (round_of[0] != round) wrong[blockIdx.x] = 1;
        if (with_barrier) __syncthreads();
      }
    });
    expect((wrong[0] == 0 && wrong[1] == 0) == with_barrier, with_barrier ? "with both barriers all is right" : "a value was overwritten");
    cudaFree(wrong);
  }
}

void unwritten_shared_memory() {
  auto* seen = device<float>(3);
  launch(
      3, 1,
      [=] {
        UAM_SHARED(float, never_written, [4]);
        seen[blockIdx.x] = never_written[2] + dynamic_shared<float>()[1];
        never_written[2] = dynamic_shared<float>()[1] = 1.f;  // the next block must not see it
      },
      16);
  for (int i = 0; i < 3; ++i) expect(seen[i] != seen[i], "it holds NaN");
  cudaFree(seen);
}

void unwritten_device_memory() {
  auto* x = device<float>(5);
  for (int i = 0; i < 5; ++i) expect(x[i] != x[i], "it holds NaN");
  cudaFree(x);
}

void asynchronous_copies() {
  auto* from = device<float>(64);
  auto* seen = device<float>(5 * 32);
  for (int i = 0; i < 64; ++i) from[i] = float(i);
  launch(1, 32, [=] {
    UAM_SHARED(float, tile, [3][32]);
    const unsigned i = threadIdx.x;
    copy_async_4(&tile[0][i], from + i);
    copy_async_commit();
    copy_async_4(&tile[1][i], from + 32 + i);
    copy_async_4(&tile[2][i], from, false);
    copy_async_commit();
    seen[i] = tile[0][i];  // too early
    copy_async_wait<1>();
    seen[32 + i] = tile[0][i];
    seen[64 + i] = tile[1][i];  // too early
    copy_async_wait<0>();
    seen[96 + i] = tile[1][i];
    seen[128 + i] = tile[2][i];
  });
  for (int i = 0; i < 32; ++i) {
    expect(seen[i] != seen[i] && seen[64 + i] != seen[64 + i], "what is read too early is NaN");
    expect(seen[32 + i] == float(i) && seen[96 + i] == float(32 + i), "what was waited for is there");
    expect(seen[128 + i] == 0.f, "what is not valid is zero");
  }
  cudaFree(from);
  cudaFree(seen);
}

// ---- what is known ----
void exchanges() {
  launch(2, 96, [] {
    const int lane = int(threadIdx.x) % 32;
    expect(__shfl_sync(kWholeWarp, lane, 7) == 7, "shfl");
    expect(__shfl_sync(kWholeWarp, lane, 3, 8) == lane / 8 * 8 + 3, "shfl within eight lanes");
    expect(__shfl_xor_sync(kWholeWarp, lane, 5) == (lane ^ 5), "shfl_xor");
    expect(__shfl_down_sync(kWholeWarp, lane, 4) == (lane + 4 < 32 ? lane + 4 : lane), "shfl_down");
    expect(__shfl_up_sync(kWholeWarp, lane, 4) == (lane >= 4 ? lane - 4 : lane), "shfl_up");
    expect(__shfl_down_sync(kWholeWarp, lane, 3, 16) == (lane % 16 + 3 < 16 ? lane + 3 : lane), "shfl_down within sixteen lanes");
    expect(__shfl_sync(kWholeWarp, 0.25 * lane, 9) == 2.25, "eight bytes");
    expect(__ballot_sync(kWholeWarp, lane % 3 == 0) == 0x49249249u, "ballot");
    expect(__any_sync(kWholeWarp, lane == 31) && !__any_sync(kWholeWarp, lane == 32), "any");
    expect(__all_sync(kWholeWarp, lane < 32) && !__all_sync(kWholeWarp, lane < 31), "all");
    expect(__syncthreads_count(threadIdx.x < 40) == 40, "syncthreads_count");
    expect(__syncthreads_or(threadIdx.x == 95) == 1 && __syncthreads_or(0) == 0, "syncthreads_or");
    if (lane < 16) expect(__shfl_xor_sync(0xffffu, lane, 1) == (lane ^ 1), "half a warp");
  });
  launch(2, 32, [] { expect(__ballot_sync(kWholeWarp, true) == kWholeWarp, "votes of lanes that have ended since"); });
  launch(2, 32, [] {
    if (threadIdx.x < 4) return;
    expect(__ballot_sync(kWholeWarp, true) == (kWholeWarp & ~15u), "no votes of lanes that ended before");
  });
}

void atomics() {
  auto* sum = device<unsigned>(2);
  sum[0] = sum[1] = 0;
  launch(3, 64, [=] {
    atomicAdd(sum, threadIdx.x);
    atomicMax(sum + 1, blockIdx.x * 100 + threadIdx.x);
  });
  expect(sum[0] == 3 * 63 * 32 && sum[1] == 263, "sum and maximum");
  cudaFree(sum);
}

// A 16 x (8 per register) matrix times one of 8 columns, each lane holding the fragments that mma.cuh describes.
template <int halves> void product() {
  constexpr int kSteps = 8 * halves;
  std::mt19937 generator(7);
  std::uniform_int_distribution<int> small(-16, 16);  // exact in bf16 and tf32, and so is every sum
  std::vector<float> A(16 * kSteps), B(kSteps * 8), C(16 * 8);
  for (auto* matrix : {&A, &B, &C})
    for (float& x : *matrix) x = float(small(generator)) / 8.f;
  std::vector<float> D(16 * 8);
  launch(1, 32, [&] {
    const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
    const auto at_a = [&](int row, int k) { return A[row * kSteps + k]; };
    const auto at_b = [&](int k, int column) { return B[k * 8 + column]; };
    float c[4] = {C[g * 8 + 2 * t], C[g * 8 + 2 * t + 1], C[(g + 8) * 8 + 2 * t], C[(g + 8) * 8 + 2 * t + 1]};
    uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) {
      const int row = g + i % 2 * 8;
      if (halves == 2) a[i] = pack_bf16(at_a(row, 2 * t + i / 2 * 8), at_a(row, 2 * t + i / 2 * 8 + 1));
      else a[i] = to_tf32(at_a(row, t + i / 2 * 4));
    }
    for (int i = 0; i < 2; ++i) {
      if (halves == 2) b[i] = pack_bf16(at_b(2 * t + 8 * i, g), at_b(2 * t + 8 * i + 1, g));
      else b[i] = to_tf32(at_b(t + 4 * i, g));
    }
    if (halves == 2) mma_bf16(c, a, b);
    else mma_tf32(c, a, b);
    for (int i = 0; i < 4; ++i) D[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = c[i];
  });
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      float sum = C[row * 8 + column];
      for (int k = 0; k < kSteps; ++k) sum += A[row * kSteps + k] * B[k * 8 + column];
      expect(D[row * 8 + column] == sum, "the plain product");
    }
}

void roundings() {
  expect(pack_bf16(1.f, -2.f) == 0xc0003f80u, "exact numbers");
  expect(pack_bf16(1.00390625f, 1.01171875f) == 0x3f823f80u, "ties go to even");
  expect((pack_bf16(NAN, INFINITY) & 0x7fff0000u) == 0x7f800000u && (pack_bf16(NAN, 0.f) & 0x7fu) != 0, "NaN and infinity stay");
  expect(to_tf32(1.f) == 0x3f800000u && to_tf32(__uint_as_float(0x3f801000u)) == 0x3f802000u, "ties go away from zero");
}

}  // namespace

int main(int count, char** words) {
  const std::map<std::string, void (*)()> all = {
#define UAM_NAMED(name) {#name, name}
      UAM_NAMED(barrier_that_some_threads_skip),
      UAM_NAMED(warp_barrier_that_some_lanes_skip),
      UAM_NAMED(exchange_with_an_absent_lane),
      UAM_NAMED(mask_without_oneself),
      UAM_NAMED(write_past_the_end),
      UAM_NAMED(read_of_a_page_past_the_end),
      UAM_NAMED(misaligned_asynchronous_copy),
      UAM_NAMED(more_shared_memory_than_a_block_has),
      UAM_NAMED(grid_that_is_too_high),
      UAM_NAMED(missing_barrier),
      UAM_NAMED(overwritten_too_early),
      UAM_NAMED(unwritten_shared_memory),
      UAM_NAMED(unwritten_device_memory),
      UAM_NAMED(asynchronous_copies),
      UAM_NAMED(exchanges),
      UAM_NAMED(atomics),
      UAM_NAMED(roundings),
      {"product_of_bf16", product<2>},
      {"product_of_tf32", product<1>},
#undef UAM_NAMED
  };
  const auto found = all.find(count == 2 ? words[1] : "");
  if (found == all.end()) {
    for (const auto& [name, body] : all) std::printf("%s\n", name.c_str());
    return 2;
  }
  found->second();
  return 0;
}
