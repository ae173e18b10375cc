// Which tile a product takes, and into how many parts its k is cut where there are too few tiles to fill a card. Both depend on the
// product's shape alone (the target is a fixed number of blocks, not the card's), so that sums have the same order everywhere.
#pragma once
#include <algorithm>

#include "call.cuh"
#include "gemm_tile.cuh"
#include "quads.cuh"

namespace uam::cuda {

inline constexpr int64_t kFull = 264;       // blocks: two for each multiprocessor of an H100
inline constexpr int64_t kLeastPart = 256;  // of k: shorter parts would move more partial sums than factors
inline constexpr int64_t kMostParts = 64;

enum class TileKind { large, middle, tall, wide, small };

struct Plan {
  TileKind kind;
  int64_t tiles_m, tiles_n;
  int64_t parts, part;  // of k: the parts [i * part, min((i + 1) * part, k))
};

// visit.operator()<Tile>() for the tile of that kind.
template <class Visit> void with_tile(TileKind kind, Visit&& visit) {
  switch (kind) {
    case TileKind::large: return visit.template operator()<LargeTile>();
    case TileKind::middle: return visit.template operator()<MiddleTile>();
    case TileKind::tall: return visit.template operator()<TallTile>();
    case TileKind::wide: return visit.template operator()<WideTile>();
    default: return visit.template operator()<SmallTile>();
  }
}
// visit.operator()<precision>()
template <class Visit> void with_precision(Visit&& visit) {
  switch (matmul_precision()) {
    case MatmulPrecision::tf32: return visit.template operator()<MatmulPrecision::tf32>();
    case MatmulPrecision::bf16: return visit.template operator()<MatmulPrecision::bf16>();
    default: return visit.template operator()<MatmulPrecision::float32>();
  }
}

// A product of m x k by k x n, `copies` times side by side. `vector`: of aligned factors.
inline Plan plan_product(int64_t m, int64_t n, int64_t k, int64_t copies, bool vector) {
  const auto tiles = [=](int64_t rows, int64_t columns) { return ceil_div(m, rows) * ceil_div(n, columns) * copies; };
  const int64_t most_parts = std::clamp<int64_t>(k / kLeastPart, 1, kMostParts);
  Plan plan{TileKind::middle, 0, 0, 1, 0};
  if (n <= 32) plan.kind = m > 64 ? TileKind::tall : TileKind::small;
  else if (m <= 32) plan.kind = n > 64 ? TileKind::wide : TileKind::small;
  else if (vector && m > 64 && n > 64 && tiles(128, 128) * most_parts >= 96) plan.kind = TileKind::large;
  with_tile(plan.kind, [&]<class T>() { plan.tiles_m = ceil_div<int64_t>(m, T::m), plan.tiles_n = ceil_div<int64_t>(n, T::n); });
  const int64_t blocks = plan.tiles_m * plan.tiles_n * copies;
  if (blocks > 0 && blocks < kFull * 3 / 4) plan.parts = std::min(ceil_div(kFull, blocks), most_parts);
  plan.part = ceil_div(ceil_div(k, plan.parts), int64_t(32)) * 32;  // whole stages, whatever the precision
  if (plan.part > 0) plan.parts = std::max<int64_t>(ceil_div(k, plan.part), 1);
  if (plan.part > int64_t(1) << 30 || plan.tiles_m * plan.tiles_n > INT32_MAX)
    throw KernelError("UAM_ARGUMENT", "the matrices are too large for one product");
  return plan;
}

// c[i] = the finished sum over parts of partial[part * count + i]; the column of i is i % n.
__global__ void sum_parts_kernel(const float* partial, int64_t parts, int64_t count, int64_t n, Finish finish, float* c, float* pre);

}  // namespace uam::cuda
