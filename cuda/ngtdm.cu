#include "kernels/ngtdm.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void ngtdm(const Ngtdm& p) { fill_rows(p); }

}  // namespace uam::cuda
