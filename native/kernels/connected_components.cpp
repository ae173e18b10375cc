#include "kernels/connected_components.h"

#include <algorithm>
#include <vector>

#include "image_size.h"
#include "parallel.h"
#include "union_find.h"

namespace uam::cpu {

namespace {

constexpr int64_t kBandRows = 64;

// Runs of a row that are not 0; each is one member of the union-find.
struct Run {
  int64_t begin, end;
  uint32_t set;
};

}  // namespace

void connected_components(const ConnectedComponents& p) {
  check_image_size(p.height, p.width);
  const int64_t reach = p.diagonal ? 1 : 0;
  UnionFind sets;
  std::vector<Run> above, here, runs;
  std::vector<size_t> first_run(size_t(p.height) + 1, 0);
  // One block at a time, in order: it is here that a call can be aborted.
  const auto bands = [&](auto&& row) {
    for (int64_t from = 0; from < p.height; from += kBandRows)
      parallel_for(1, 1, [&](int64_t, int64_t) {
        for (int64_t y = from; y < std::min(p.height, from + kBandRows); ++y) row(y);
      });
  };
  bands([&](int64_t y) {
    const uint8_t* mask = p.mask.data + y * p.width;
    here.clear();
    size_t next = 0;
    for (int64_t x = 0; x < p.width;) {
      if (!mask[x]) {
        ++x;
        continue;
      }
      Run run{x, x, 0};
      while (++x < p.width && mask[x]) {
      }
      run.end = x;
      run.set = sets.add();
      while (next < above.size() && above[next].end + reach <= run.begin) ++next;
      for (size_t i = next; i < above.size() && above[i].begin < run.end + reach; ++i) run.set = sets.join(run.set, above[i].set);
      here.push_back(run);
      runs.push_back(run);
    }
    first_run[size_t(y) + 1] = runs.size();
    std::swap(above, here);
  });

  // A set's least member is its first run, so numbers rise with the first pixels.
  std::vector<uint32_t> number(sets.size(), 0);
  uint32_t total = 0;
  for (uint32_t i = 0; i < sets.size(); ++i) number[i] = sets.root(i) == i ? ++total : number[sets.root(i)];
  p.total.data[0] = total;
  parallel_for(p.height, kBandRows, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      uint32_t* labels = p.labels.data + y * p.width;
      std::fill(labels, labels + p.width, 0u);
      for (size_t i = first_run[size_t(y)]; i < first_run[size_t(y) + 1]; ++i)
        std::fill(labels + runs[i].begin, labels + runs[i].end, number[runs[i].set]);
    }
  });
}

}  // namespace uam::cpu
