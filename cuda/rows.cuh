// Rows of `width` numbers, each taken by a team of threads: a part of a warp, a warp, or a block. What the team reads of a row
// stays in its registers, and sums go round among its threads. Which thread has which number follows from the width alone.
#pragma once
#include <type_traits>

#include "quads.cuh"
#include "reduce.cuh"

namespace uam::cuda {

inline constexpr int kRowThreads = 256;  // of a block

// Teams of kTeam threads (a power of two up to 32, or kRowThreads). Quad q of thread t stands at column 4 (q kTeam + t). kQuads is how
// many quads of a row a thread keeps; 0 is for rows of any length, which are read again each time they are looked at.
template <int kTeam, int kQuads, bool kAligned> struct RowTeam {
  static constexpr int kTeams = kRowThreads / kTeam;
  static constexpr bool kKept = kQuads > 0;
  using Sum = std::conditional_t<kKept, float, double>;  // of a thread's share: short, or of any length

  int64_t width;

  __device__ explicit RowTeam(int64_t width) : width(width) {}
  __device__ static int thread() { return int(threadIdx.x) % kTeam; }
  __device__ static int64_t column(int q) { return int64_t(q * kTeam + thread()) * 4; }

  // visit(row) for the rows of this team. All teams of a warp go round together: where there are no more rows, `there` is false,
  // and the row is one that may be read but not written.
  template <class Visit> __device__ void each_row(int64_t rows, Visit&& visit) const {
    for (int64_t first = blockIdx.x * int64_t(kTeams); first < rows; first += gridDim.x * int64_t(kTeams)) {
      const int64_t row = first + int(threadIdx.x) / kTeam;
      visit(min(row, rows - 1), row < rows);
    }
  }

  // visit(q, column) for the quads of this thread.
  template <class Visit> __device__ __forceinline__ void each(Visit&& visit) const {
    if constexpr (kKept) {
#pragma unroll
      for (int q = 0; q < kQuads; ++q)
        if (column(q) < width) visit(q, column(q));
    } else {
      for (int q = 0; column(q) < width; ++q) visit(0, column(q));
    }
  }

  __device__ __forceinline__ Quad read(const float* row, int64_t at) const {
    return load_quad<kAligned>(row + at, kAligned ? 4 : width - at);
  }
  __device__ __forceinline__ void write(float* row, int64_t at, const Quad& quad) const {
    store_quad<kAligned>(row + at, quad, kAligned ? 4 : width - at);
  }
  // Whether number k of a quad is one of the row's.
  __device__ __forceinline__ bool has(int64_t at, int k) const { return kAligned || at + k < width; }

  template <class T> __device__ __forceinline__ T sum(T value) const {
    if constexpr (kTeam > 32) return block_sum(value);
    else {
#pragma unroll
      for (int bits = kTeam / 2; bits > 0; bits /= 2) value += __shfl_xor_sync(kWholeWarp, value, bits);
      return value;
    }
  }
  // Whether it holds in some team that goes round with this one: the same answer for all of them. `condition` is the team's.
  __device__ __forceinline__ bool any(bool condition) const {
    if constexpr (kTeam > 32) return condition;
    else return __any_sync(kWholeWarp, condition) != 0;
  }
};

// A row as its team sees it.
template <class Team, int kQuads> struct RowOf {
  const float* row = nullptr;
  Quad kept[kQuads > 0 ? kQuads : 1];

  __device__ __forceinline__ RowOf(const Team& team, const float* row) : row(row) {
    if constexpr (Team::kKept) team.each([&](int q, int64_t at) { kept[q] = team.read(row, at); });
  }
  __device__ __forceinline__ Quad get(const Team& team, int q, int64_t at) const {
    if constexpr (Team::kKept) return kept[q];
    else return team.read(row, at);
  }
};

// Sums per column over the rows of a team, and in the end over the teams of the block, into `to` ([width], of this block alone).
// Rows of any length are summed right there, in what must be zeros before.
template <int kTeam, int kQuads, bool kAligned> struct ColumnsOf {
  using Team = RowTeam<kTeam, kQuads, kAligned>;
  Quad sums[kQuads > 0 ? kQuads : 1];

  __device__ __forceinline__ void add(const Team& team, int q, int64_t at, const Quad& terms, float* to) {
    if constexpr (Team::kKept) {
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[q].v[k] += terms.v[k];
    } else {
      for (int k = 0; k < 4; ++k)
        if (at + k < team.width) to[at + k] += terms.v[k];
    }
  }

  // Every thread of the block comes here.
  __device__ void finish(const Team& team, float* to) {
    if constexpr (!Team::kKept) return;
    if constexpr (kTeam > 32) {
      team.each([&](int q, int64_t at) {
        for (int k = 0; k < 4; ++k)
          if (at + k < team.width) to[at + k] = sums[q].v[k];
      });
    } else {
      constexpr int kWarps = kRowThreads / 32, kColumns = kTeam * kQuads * 4;
      UAM_SHARED(float, of_warp, [kWarps][kColumns]);
      const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
#pragma unroll
      for (int q = 0; q < kQuads; ++q) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          float value = sums[q].v[k];
#pragma unroll
          for (int bits = 16; bits >= kTeam; bits /= 2) value += __shfl_xor_sync(kWholeWarp, value, bits);
          if (lane < kTeam) of_warp[warp][(q * kTeam + lane) * 4 + k] = value;
        }
      }
      __syncthreads();
      for (int c = int(threadIdx.x); c < kColumns && c < team.width; c += kRowThreads) {
        float total = of_warp[0][c];
        for (int w = 1; w < kWarps; ++w) total += of_warp[w][c];
        to[c] = total;
      }
      __syncthreads();  // before another set of columns comes
    }
  }
};

// run(kTeam, kQuads) as compile-time constants, for rows of this width.
template <class F> void with_team(int64_t width, F&& run) {
  const auto as = [&]<int kTeam, int kQuads>() { run(std::integral_constant<int, kTeam>(), std::integral_constant<int, kQuads>()); };
  if (width <= 32) as.template operator()<8, 1>();
  else if (width <= 64) as.template operator()<16, 1>();
  else if (width <= 128) as.template operator()<32, 1>();
  else if (width <= 256) as.template operator()<32, 2>();
  else if (width <= 512) as.template operator()<32, 4>();
  else if (width <= 1024) as.template operator()<256, 1>();
  else if (width <= 4096) as.template operator()<256, 4>();
  else as.template operator()<256, 0>();
}

// Blocks for rows that are independent of one another.
inline Grid grid_of_rows(const Call& call, int64_t rows, int team) {
  const int64_t blocks = ceil_div<int64_t>(rows, kRowThreads / team);
  return {unsigned(std::min<int64_t>(blocks, int64_t(call.multiprocessors()) * 32)), kRowThreads};
}

// Blocks for rows that are summed per column: so many that a card is full and a team has no more than some 32 rows to sum in
// float32, and so few that their sums stay small beside the rows. The shape alone decides.
inline int64_t blocks_for_columns(int64_t rows, int64_t width, int team) {
  const int64_t teams = kRowThreads / team, wanted = std::max<int64_t>(512, ceil_div<int64_t>(rows, teams * 32));
  const int64_t room = std::max<int64_t>(1, (int64_t(1) << 24) / std::max<int64_t>(width, 1));
  return std::min({ceil_div<int64_t>(rows, teams), wanted, room, int64_t(8192)});
}

}  // namespace uam::cuda
