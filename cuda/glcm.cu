#include "kernels/glcm.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void glcm(const Glcm& p) { fill_rows(p); }

}  // namespace uam::cuda
