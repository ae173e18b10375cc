// The neighbours that NGTDM and GLDM look at, as offsets into a region's level image.
#pragma once
#include <cstdint>

#include "roi.h"

namespace uam {

// Half of the neighbours; the others are at minus these offsets. None where the region's box is smaller than every distance.
struct Neighbors {
  const int64_t* offsets = nullptr;
  int64_t half = 0;
};

// The greatest distance. Throws KernelError unless there is one and all are at least 1.
int64_t check_distances(const int32_t* distances, int64_t count);

Neighbors find_neighbors(const int32_t* distances, int64_t count, const Roi& roi, Scratch& scratch);

}  // namespace uam
