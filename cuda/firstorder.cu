#include "kernels/firstorder.h"

#include "texture_driver.cuh"

namespace uam::cuda {

void firstorder(const Firstorder& p) { fill_rows(p); }

}  // namespace uam::cuda
