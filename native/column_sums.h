// Sums over the rows of a matrix, such as the gradient of a weight, that are the same for any number of threads:
// the rows are cut into blocks by their shape alone, each block sums its own rows, and the blocks are added in order.
// Within a block, float32 sums of a few rows go into doubles, so the error does not grow with the number of rows.
#pragma once
#include <cstdint>

#include "scratch.h"

namespace uam {

// Rows per block: about 16k elements, and never more than 128 blocks, which bounds the memory of the partial sums.
inline int64_t rows_per_block(int64_t rows, int64_t width) {
  const int64_t by_work = width > 0 ? (16383 + width) / width : rows, by_count = (rows + 127) / 128;
  const int64_t least = by_work > by_count ? by_work : by_count;
  return least > 1 ? least : 1;
}

class ColumnSums {
 public:
  ColumnSums(int64_t rows, int64_t rows_per_block, int64_t columns)
      : per_block_(rows_per_block),
        blocks_((rows + rows_per_block - 1) / rows_per_block),
        columns_(columns),
        totals_(memory_.take<double>(blocks_ * columns)) {}

  // One block's sums. fresh() is float32 room for `columns` sums, zero at first; call next_row() after every row added.
  class Block {
   public:
    Block(const ColumnSums& sums, int64_t first_row)
        : columns_(sums.columns_),
          total_(sums.totals_ + first_row / sums.per_block_ * sums.columns_),
          fresh_(memory_.take<float>(columns_)) {
      for (int64_t c = 0; c < columns_; ++c) total_[c] = 0, fresh_[c] = 0;
    }
    ~Block() { flush(); }
    float* fresh() const { return fresh_; }
    void next_row() {
      if (++rows_ == 32) flush();
    }

   private:
    void flush() {
      for (int64_t c = 0; c < columns_; ++c) total_[c] += double(fresh_[c]), fresh_[c] = 0;
      rows_ = 0;
    }
    Scratch memory_;
    int64_t columns_;
    double* total_;
    float* fresh_;
    int rows_ = 0;
  };

  // out[c] = sum of column `first + c`, for c < count, once every block is done.
  void finish(int64_t first, int64_t count, float* out) const {
    constexpr int64_t kStrip = 64;  // columns at a time, so that memory is read along the rows
    for (int64_t begin = 0; begin < count; begin += kStrip) {
      const int64_t n = count - begin < kStrip ? count - begin : kStrip;
      double total[kStrip] = {};
      for (int64_t b = 0; b < blocks_; ++b)
        for (int64_t c = 0; c < n; ++c) total[c] += totals_[b * columns_ + first + begin + c];
      for (int64_t c = 0; c < n; ++c) out[begin + c] = float(total[c]);
    }
  }

 private:
  Scratch memory_;
  int64_t per_block_, blocks_, columns_;
  double* totals_;
};

}  // namespace uam
