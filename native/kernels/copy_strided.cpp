#include "kernels/copy_strided.h"

#include <cstring>

#include "parallel.h"
#include "strided.h"

namespace uam::cpu {

namespace {

constexpr int64_t kTile = 16;  // 16 x 16 floats: whole cache lines on both sides of a transpose

// target[r, c] = source[c, r], both contiguous along their last axis. A tile of whole cache lines goes through a copy: in place, lines
// that lie a power of two apart drive each other out of the cache before they are used up.
void transpose_tile(const uint32_t* source, int64_t source_column, uint32_t* target, int64_t target_row) {
  uint32_t lines[kTile][kTile];
  for (int64_t c = 0; c < kTile; ++c) std::memcpy(lines[c], source + c * source_column, sizeof lines[c]);
  for (int64_t r = 0; r < kTile; ++r)
    for (int64_t c = 0; c < kTile; ++c) target[r * target_row + c] = lines[c][r];
}

// rows x columns, one side contiguous along each axis: in tiles, so that every cache line is used while it is near.
void copy_plane(const uint32_t* source, int64_t source_row, int64_t source_column, uint32_t* target, int64_t target_row,
                int64_t target_column, int64_t rows, int64_t columns) {
  for (int64_t r0 = 0; r0 < rows; r0 += kTile) {
    for (int64_t c0 = 0; c0 < columns; c0 += kTile) {
      const uint32_t* from = source + r0 * source_row + c0 * source_column;
      uint32_t* to = target + r0 * target_row + c0 * target_column;
      const int64_t height = std::min(rows - r0, kTile), width = std::min(columns - c0, kTile);
      if (height == kTile && width == kTile && source_row == 1 && target_column == 1) {
        transpose_tile(from, source_column, to, target_row);
        continue;
      }
      for (int64_t r = 0; r < height; ++r)
        for (int64_t c = 0; c < width; ++c) to[r * target_row + c * target_column] = from[r * source_row + c * source_column];
    }
  }
}

}  // namespace

void copy_strided(const CopyStrided& p) {
  Walk<2> walk(p.shape);
  walk.bind(0, p.source_strides, p.source_offset, p.source_size);
  walk.bind(1, p.target_strides, p.target_offset, p.target_size);
  const auto* source = reinterpret_cast<const uint32_t*>(p.source.data) + p.source_offset;
  auto* target = reinterpret_cast<uint32_t*>(p.target.data) + p.target_offset;
  const int64_t ss = walk.inner_stride(0), ts = walk.inner_stride(1);

  if (ss != 1 && ss != 0 && walk.rank >= 2) {  // a transpose of the last two axes: one task per strip of rows
    const int64_t rows = walk.shape[walk.rank - 2], columns = walk.inner(), strips = (rows + 4 * kTile - 1) / (4 * kTile);
    const int64_t planes = rows > 0 && columns > 0 ? walk.n / (rows * columns) : 0;
    parallel_for(planes * strips, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = (task % strips) * 4 * kTile;
        int64_t plane = task / strips, from = first * walk.strides[0][walk.rank - 2], to = first * walk.strides[1][walk.rank - 2];
        for (int axis = walk.rank - 3; axis >= 0; --axis) {
          from += plane % walk.shape[axis] * walk.strides[0][axis];
          to += plane % walk.shape[axis] * walk.strides[1][axis];
          plane /= walk.shape[axis];
        }
        copy_plane(source + from, walk.strides[0][walk.rank - 2], ss, target + to, walk.strides[1][walk.rank - 2], ts,
                   std::min(rows - first, 4 * kTile), columns);
      }
    });
    return;
  }
  parallel_for(walk.n, 1 << 15, [&](int64_t begin, int64_t end) {
    walk.rows(begin, end, [&](int64_t, int64_t count, const int64_t* offsets) {
      const uint32_t* from = source + offsets[0];
      uint32_t* to = target + offsets[1];
      if (ss == 1 && ts == 1) std::memcpy(to, from, size_t(count) * sizeof(uint32_t));
      else
        for (int64_t i = 0; i < count; ++i) to[i * ts] = from[i * ss];
    });
  });
}

}  // namespace uam::cpu
