#include "kernels/glrlm.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void glrlm(const Glrlm& p) { fill_rows(p); }

}  // namespace uam::cuda
