#include "kernels/texture.h"

#include "texture_driver.cuh"

namespace uam::cuda {

struct TextureRows {
  TextureClasses classes;
  RoiInput own;
  double* out;
  int64_t columns;
  __device__ const RoiInput& input() const { return own; }
  __device__ __forceinline__ void fill(const Roi& roi, int64_t r, const Arena& arena) const {
    double* row = out + r * columns;
    const auto fill_class = [&](bool asked, const auto& p, int own_columns) {
      if (!asked) return;
      fill_row(p, roi, r, row, arena);
      row += own_columns;
      __syncthreads();  // the next class takes the same memory
    };
    fill_class(classes.asked[0], classes.firstorder, kFirstorderColumns);
    fill_class(classes.asked[1], classes.glcm, kGlcmColumns);
    fill_class(classes.asked[2], classes.glrlm, Glrlm::kColumns);
    fill_class(classes.asked[3], classes.glszm, Glszm::kColumns);
    fill_class(classes.asked[4], classes.ngtdm, Ngtdm::kColumns);
    fill_class(classes.asked[5], classes.gldm, Gldm::kColumns);
  }
};

void texture(const Texture& p) {
  check_host(p);
  want_host("distances", p.distances);
  check_input(p);
  const TextureClasses host(p);
  int64_t reach = 0, columns = 0;
  host.each([&](const auto& own, int64_t own_columns) {
    reach = std::max(reach, cpu::check(own));
    columns += own_columns;
  });
  check_columns(p, columns);
  if (columns == 0) return;
  Call call;
  Texture brought = p;
  bring_input(call, brought);
  bring(call, brought.distances);
  bring(call, brought.weights);
  const TextureRows rows{TextureClasses(brought), brought, call.out(p.out), columns};
  each_region_by_size(call, p, rows, reach, [&](const RegionBounds& b) {
    int64_t bytes = 0;
    host.each([&](const auto& own, int64_t) { bytes = std::max(bytes, bytes_of(own, b)); });
    return bytes;
  });
  call.finish();
}

}  // namespace uam::cuda
