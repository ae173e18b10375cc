#include "kernels/watershed.h"

#include <algorithm>
#include <vector>

#include "image_size.h"
#include "parallel.h"
#include "union_find.h"

namespace uam::cpu {

namespace {

constexpr int32_t kSteps = 64, kTop = 1023 * kSteps;

int32_t step_of(float height) {
  const float steps = height * float(kSteps);
  if (!(steps > 0)) return 0;  // also where it is not a number
  return steps >= float(kTop) ? kTop : int32_t(steps);
}

}  // namespace

void watershed(const Watershed& p) {
  check_image_size(p.height, p.width);
  if (!(p.depth >= 0)) throw KernelError("UAM_ARGUMENT", "depth must be at least 0, received " + std::to_string(p.depth));
  const int64_t w = p.width, h = p.height, pixels = w * h;
  if (pixels > int64_t(UINT32_MAX) - 1) throw KernelError("UAM_ARGUMENT", "the image has more than 2^32 pixels: take it in parts");
  const double depth = p.depth * kSteps;

  // A counting sort: the mask's pixels from the highest to the lowest, equals row by row. What decides a pixel is copied once.
  std::vector<uint16_t> step(size_t(pixels), 0);
  std::vector<uint64_t> start(size_t(kTop) + 2, 0);
  uint32_t* labels = p.labels.data;
  for (int64_t i = 0; i < pixels; ++i) {
    labels[i] = 0;
    if (!p.mask.data[i]) continue;
    const int32_t s = step_of(p.heights.data[i]);
    step[size_t(i)] = uint16_t(s + 1);  // 0: not in the mask
    ++start[size_t(kTop - s) + 1];
  }
  for (size_t s = 1; s < start.size(); ++s) start[s] += start[s - 1];
  std::vector<uint32_t> order(start.back());
  for (int64_t i = 0; i < pixels; ++i)
    if (step[size_t(i)]) order[start[size_t(kTop - (step[size_t(i)] - 1))]++] = uint32_t(i);

  UnionFind regions;
  std::vector<int32_t> summit;                         // per region, in steps
  std::vector<uint32_t> region_of(size_t(pixels), 0);  // from 1
  constexpr int64_t block = 1 << 16;
  for (int64_t from = 0; from < int64_t(order.size()); from += block) {  // in order; between blocks the call can be aborted
    parallel_for(1, 1, [&](int64_t, int64_t) {
      const int64_t to = std::min(int64_t(order.size()), from + block);
      for (int64_t k = from; k < to; ++k) {
        const int64_t i = order[size_t(k)], y = i / w, x = i % w;
        uint32_t met[8];
        int meetings = 0;
        uint16_t highest = 0;
        uint32_t joins = 0;
        for (int64_t ny = std::max<int64_t>(0, y - 1); ny <= std::min(h - 1, y + 1); ++ny)
          for (int64_t nx = std::max<int64_t>(0, x - 1); nx <= std::min(w - 1, x + 1); ++nx) {
            const auto n = size_t(ny * w + nx);
            if (region_of[n] == 0) continue;
            const uint32_t root = regions.root(region_of[n] - 1);
            if (step[n] > highest) highest = step[n], joins = root;
            if (std::find(met, met + meetings, root) == met + meetings) met[meetings++] = root;
          }
        const int32_t here = int32_t(step[size_t(i)]) - 1;
        if (meetings == 0) {
          joins = regions.add();
          summit.push_back(here);
        }
        if (meetings > 1) {
          uint32_t best = met[0];
          for (int m = 1; m < meetings; ++m)
            if (summit[met[m]] > summit[best] || (summit[met[m]] == summit[best] && met[m] < best)) best = met[m];
          for (int m = 0; m < meetings; ++m)
            if (met[m] != best && summit[met[m]] - here < depth) regions.put_under(met[m], best);
        }
        region_of[size_t(i)] = joins + 1;
      }
    });
  }

  std::vector<uint32_t> number(regions.size(), 0);
  uint32_t total = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    if (region_of[size_t(i)] == 0) continue;
    uint32_t& mine = number[regions.root(region_of[size_t(i)] - 1)];
    if (mine == 0) mine = ++total;
    labels[i] = mine;
  }
  p.total.data[0] = total;
}

}  // namespace uam::cpu
