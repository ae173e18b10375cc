#include "kernels/gather_rows.h"

#include <cstring>
#include <string>
#include <vector>

#include "parallel.h"

namespace uam::cpu {

namespace {

// A checked copy: what JavaScript writes into the array afterwards cannot lead outside.
std::vector<int32_t> checked(const In<int32_t>& index, int64_t rows) {
  std::vector<int32_t> copy(index.data, index.data + index.size);
  for (size_t j = 0; j < copy.size(); ++j)
    if (copy[j] < 0 || copy[j] >= rows)
      throw KernelError("UAM_ARGUMENT", "index[" + std::to_string(j) + "] must be from 0 to " + std::to_string(rows - 1) + ", received " +
                                            std::to_string(copy[j]));
  return copy;
}

int64_t rows_per_task(int64_t width) { return 1 + (1 << 14) / (1 + width); }

}  // namespace

void gather_rows_fwd(const GatherRowsFwd& p) {
  const auto index = checked(p.index, p.rows);
  parallel_for(p.outer * p.n, rows_per_task(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t o = row / p.n, j = row % p.n;
      std::memcpy(p.y.data + row * p.width, p.x.data + (o * p.rows + index[size_t(j)]) * p.width, size_t(p.width) * sizeof(float));
    }
  });
}

void gather_rows_bwd(const GatherRowsBwd& p) {
  const auto index = checked(p.index, p.rows);
  // The list turned round (a counting sort): the places of each row, in rising order. Each row then has one writer.
  std::vector<int64_t> start(size_t(p.rows) + 1, 0), places(index.size());
  for (const int32_t row : index) ++start[size_t(row) + 1];
  for (size_t row = 0; row < size_t(p.rows); ++row) start[row + 1] += start[row];
  std::vector<int64_t> next(start.begin(), start.end());
  for (size_t j = 0; j < index.size(); ++j) places[size_t(next[size_t(index[j])]++)] = int64_t(j);
  parallel_for(p.outer * p.rows, rows_per_task(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / p.rows, row = task % p.rows;
      float* dx = p.dx.data + task * p.width;
      std::memset(dx, 0, size_t(p.width) * sizeof(float));
      for (int64_t at = start[size_t(row)]; at < start[size_t(row) + 1]; ++at) {
        const float* dy = p.dy.data + (o * p.n + places[size_t(at)]) * p.width;
        for (int64_t i = 0; i < p.width; ++i) dx[i] += dy[i];
      }
    }
  });
}

}  // namespace uam::cpu
