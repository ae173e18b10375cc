#include "kernels/gldm.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void gldm(const Gldm& p) { fill_rows(p); }

}  // namespace uam::cuda
