#include "kernels/glszm.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void glszm(const Glszm& p) { fill_rows(p); }

}  // namespace uam::cuda
