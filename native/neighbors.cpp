#include "neighbors.h"

#include <algorithm>

namespace uam {

int64_t check_distances(const int32_t* distances, int64_t count) {
  if (count == 0) throw KernelError("UAM_ARGUMENT", "distances must hold at least one distance");
  for (int64_t k = 0; k < count; ++k)
    if (distances[k] < 1) throw KernelError("UAM_ARGUMENT", "distances must be at least 1 pixel, received " + std::to_string(distances[k]));
  return *std::max_element(distances, distances + count);
}

Neighbors find_neighbors(const int32_t* distances, int64_t count, const Roi& roi, Scratch& scratch) {
  Neighbors neighbors;
  if (roi.n < 2 || !roi.finite) return neighbors;
  neighbors.half = count_steps(distances, count, roi);
  Step* steps = scratch.take<Step>(neighbors.half);
  list_steps(distances, count, roi, steps);
  int64_t* offsets = scratch.take<int64_t>(neighbors.half);
  for (int64_t k = 0; k < neighbors.half; ++k) offsets[k] = steps[k].dy * roi.stride + steps[k].dx;
  neighbors.offsets = offsets;
  return neighbors;
}

}  // namespace uam
