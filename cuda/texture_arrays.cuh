// The arrays of a radiomics contract on the card.
#pragma once
#include <string>

#include "call.cuh"
#include "roi.h"

namespace uam::cuda {

// The arrays of the card in place of those of the host.
template <class T> void bring(Call& call, In<T>& array) {
  array.data = call.in(array);
  array.on_device = true;
}
inline void bring_mask(Call& call, RoiMask& p) {
  bring(call, p.labels);
  bring(call, p.ids);
  bring(call, p.boxes);
}
inline void bring_input(Call& call, RoiInput& p) {
  bring_mask(call, p);
  bring(call, p.u8);
  bring(call, p.u16);
  bring(call, p.f32);
  bring(call, p.f64);
  p.matrix.data = call.inout(p.matrix);
}

template <class T> void want_host(const char* name, const In<T>& array) {
  if (array.on_device) throw KernelError("UAM_ARGUMENT", std::string(name) + " must be an array of the host: the work is planned from it");
}
inline void check_host(const RoiMask& p) {
  want_host("boxes", p.boxes);
  want_host("ids", p.ids);
}

}  // namespace uam::cuda
