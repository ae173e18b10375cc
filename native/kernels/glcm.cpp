// Only the entries that occur are kept: a cell of 200 pixels has far fewer of them than levels squared, and 16-bit images may have
// thousands of levels.
#include "kernels/glcm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "each_region.h"
#include "glcm_features.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kTablePlaces = 8192;  // pairs are counted in a table of up to this many places, or 16 per pixel; beyond it, sorted

// Counts the pairs of one region, four steps at a time, and lists them as entries.
class Counter {
 public:
  Counter(const Roi& roi, bool symmetrical, Scratch& scratch) : roi_(roi), symmetrical_(symmetrical), stride_(roi.levels + 1) {
    places_ = stride_ * stride_;
    dense_ = places_ <= std::max(kTablePlaces, 16 * roi.n);
    if (dense_) tables_ = scratch.take<int32_t>(kTogether * places_);
    else keys_ = scratch.take<uint64_t>(roi.n);
  }

  // So many entries at most, from this many steps.
  int64_t capacity(int64_t steps) const { return std::min(places_, roi_.n * steps); }

  // Calls use(s, list) for each step s in turn; list(entries) writes its entries and returns how many they are.
  template <class F> void each(const Step* steps, int64_t count, F&& use) {
    for (int64_t first = 0; first < count; first += kTogether) {
      const int64_t some = std::min(kTogether, count - first);
      if (dense_) tabulate(steps + first, some);
      for (int64_t k = 0; k < some; ++k)
        use(first + k, [&](GlcmEntry* entries) { return dense_ ? list(tables_ + k * places_, entries) : sort(steps[first + k], entries); });
    }
  }

 private:
  static constexpr int64_t kTogether = 4;

  int64_t beside(Step step) const { return step.dy * roi_.stride + step.dx; }

  // A table per step, so that the additions for one pixel need not wait for one another. Pairs with what is outside land in
  // column 0, which nobody reads.
  void tabulate(const Step* steps, int64_t count) {
    std::memset(tables_, 0, size_t(kTogether * places_) * sizeof(int32_t));
    int64_t offsets[kTogether];
    for (int64_t k = 0; k < kTogether; ++k) offsets[k] = beside(steps[std::min(k, count - 1)]);  // fewer: the last again, unread
    for (int64_t p = 0; p < roi_.n; ++p) {
      const int32_t* here = roi_.image + roi_.at[p];
      int32_t* row = tables_ + *here * stride_;
      for (int64_t k = 0; k < kTogether; ++k) ++row[k * places_ + here[offsets[k]]];
    }
  }

  int64_t list(const int32_t* table, GlcmEntry* entries) const {
    int64_t n = 0;
    for (int64_t i = 1; i < stride_; ++i) {
      for (int64_t j = symmetrical_ ? i : 1; j < stride_; ++j) {
        const int32_t count = table[i * stride_ + j] + (symmetrical_ ? table[j * stride_ + i] : 0);
        if (count != 0) entries[n++] = {int32_t(i - 1), int32_t(j - 1), double(count), symmetrical_ && i != j};
      }
    }
    return n;
  }

  int64_t sort(Step step, GlcmEntry* entries) const {
    int64_t pairs = 0;
    for (int64_t p = 0; p < roi_.n; ++p) {
      uint64_t i = uint64_t(roi_.image[roi_.at[p]]), j = uint64_t(roi_.image[roi_.at[p] + beside(step)]);
      if (symmetrical_ && i > j) std::swap(i, j);
      keys_[pairs] = i << 32 | j;
      pairs += i != 0 && j != 0;
    }
    std::sort(keys_, keys_ + pairs);
    int64_t n = 0;
    for (int64_t k = 0, end = 0; k < pairs; k = end) {
      while (end < pairs && keys_[end] == keys_[k]) ++end;
      const int32_t i = int32_t(keys_[k] >> 32), j = int32_t(uint32_t(keys_[k]));
      const bool twice = symmetrical_ && i != j;
      entries[n++] = {i - 1, j - 1, double(end - k) * (symmetrical_ && !twice ? 2 : 1), twice};
    }
    return n;
  }

  const Roi& roi_;
  bool symmetrical_, dense_;
  int64_t stride_, places_;
  int32_t* tables_ = nullptr;  // a table is [levels + 1, levels + 1], as level 0 is outside
  uint64_t* keys_ = nullptr;
};

}  // namespace

int64_t check(const Glcm& p) {
  int64_t reach = 0;
  for (int64_t k = 0; k < p.distance_count; ++k) {
    if (p.distances.data[k] < 1) throw KernelError("UAM_ARGUMENT", "distances must be at least 1");
    reach = std::max<int64_t>(reach, p.distances.data[k]);
  }
  return reach;
}

void fill_row(const Glcm& p, const Roi& roi, int64_t r, double* out) {
  Scratch scratch;
  std::fill(out, out + kGlcmColumns, kNaN);
  if (roi.n == 0 || !roi.finite) return;
  const int64_t step_count = count_steps(p.distances.data, p.distance_count, roi);
  Step* steps = scratch.take<Step>(step_count);
  list_steps(p.distances.data, p.distance_count, roi, steps);
  Counter counter(roi, p.symmetrical, scratch);
  const bool merged = p.weighting != Weighting::average;
  GlcmEntry* entries = scratch.take<GlcmEntry>(counter.capacity(1) + (merged ? counter.capacity(step_count) : 0));

  if (merged) {
    int64_t n = 0;
    counter.each(steps, step_count, [&](int64_t s, auto list) {
      const double d = step_length(p.weighting, steps[s], p.spacing_x, p.spacing_y);
      const double weight = p.weighting == Weighting::none ? 1 : exp(-d * d);
      if (weight == 0) return;
      const int64_t end = n + list(entries + n);
      for (int64_t e = n; e < end; ++e) entries[e].count *= weight;
      n = merge_entries(entries, end, scratch);
    });
    if (n > 0) {
      Scratch inner;
      glcm_features(p, roi, entries, n, p.weighting == Weighting::none, out, inner);
    }
    return;
  }
  GlcmMean mean;
  MatrixRows rows(p);
  counter.each(steps, step_count, [&](int64_t s, auto list) {
    const int64_t n = list(entries);
    if (n == 0) return;
    double features[kGlcmColumns];
    Scratch inner;
    glcm_features(p, roi, entries, n, true, features, inner);
    mean.add(features);
    if (r == 0 && p.matrix) write_pairs(rows, roi, entries, n, step_count - 1 - s);  // PyRadiomics' order of angles
  });
  if (mean.angles > 0) mean.write(out);
}

void glcm(const Glcm& p) { fill_rows(p); }

}  // namespace uam::cpu
