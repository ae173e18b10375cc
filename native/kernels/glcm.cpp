// Only the entries that occur are kept: a cell of 200 pixels has far fewer of them than levels squared, and 16-bit images may have
// thousands of levels.
#include "kernels/glcm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "each_region.h"
#include "symmetric_eigen.h"
#include "two_level_mcc.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kTablePlaces = 8192;  // pairs are counted in a table of up to this many places, or 16 per pixel; beyond it, sorted
constexpr double kDenseGrey = 4096;     // up to this grey level sums and differences of levels index a table
constexpr int64_t kDenseEigen = 400;    // up to this many levels the eigenvalues come from the whole matrix

// An entry of the matrix: `count` at (i, j), and the same at (j, i) where `twice`.
struct Entry {
  int32_t i, j;
  double count;
  bool twice;
};

// n log2 n is what entropies are made of: sum p log2(1 / p) = sum count (log2 total - log2 count) / total. PyRadiomics' eps inside the
// logarithm moves that by less than 1e-13.
struct Total {
  double sum, log2_sum;
  bool whole;  // whole counts have their logarithms in a table

  explicit Total(double total, bool whole_counts)
      : sum(total), log2_sum(whole_counts ? log2_of(int64_t(total)) : std::log2(total)), whole(whole_counts) {}

  double surprise(double count) const {  // exactly 0 for all or nothing
    if (count == 0) return 0;
    return count * (log2_sum - (whole ? log2_of(int64_t(count)) : std::log2(count)));
  }
};

struct Pair {
  double key, weight;
};

// The distribution of a key over the entries (the sum or the difference of their levels).
class Distribution {
 public:
  Distribution(double highest, int64_t entries, Scratch& scratch)
      : dense_(highest <= 2 * kDenseGrey), pairs_(scratch.take<Pair>(dense_ ? int64_t(highest) + 1 : entries)), size_(0) {
    if (!dense_) return;
    size_ = int64_t(highest) + 1;
    for (int64_t k = 0; k < size_; ++k) pairs_[k] = {double(k), 0};
  }
  void add(double key, double weight) {
    if (dense_) pairs_[int64_t(key)].weight += weight;
    else pairs_[size_++] = {key, weight};
  }
  void finish() {
    if (dense_) return;
    std::sort(pairs_, pairs_ + size_, [](Pair a, Pair b) { return a.key < b.key || (a.key == b.key && a.weight < b.weight); });
    int64_t kept = 0;
    for (int64_t k = 0; k < size_; ++k) {
      if (kept > 0 && pairs_[kept - 1].key == pairs_[k].key) pairs_[kept - 1].weight += pairs_[k].weight;
      else pairs_[kept++] = pairs_[k];
    }
    size_ = kept;
  }
  const Pair* begin() const { return pairs_; }
  const Pair* end() const { return pairs_ + size_; }

 private:
  bool dense_;
  Pair* pairs_;
  int64_t size_;
};

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
        use(first + k, [&](Entry* entries) { return dense_ ? list(tables_ + k * places_, entries) : sort(steps[first + k], entries); });
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

  int64_t list(const int32_t* table, Entry* entries) const {
    int64_t n = 0;
    for (int64_t i = 1; i < stride_; ++i) {
      for (int64_t j = symmetrical_ ? i : 1; j < stride_; ++j) {
        const int32_t count = table[i * stride_ + j] + (symmetrical_ ? table[j * stride_ + i] : 0);
        if (count != 0) entries[n++] = {int32_t(i - 1), int32_t(j - 1), double(count), symmetrical_ && i != j};
      }
    }
    return n;
  }

  int64_t sort(Step step, Entry* entries) const {
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

// Adds equal entries up.
int64_t merge(Entry* entries, int64_t n) {
  const auto before = [](const Entry& a, const Entry& b) { return a.i != b.i ? a.i < b.i : a.j < b.j; };
  std::stable_sort(entries, entries + n, before);
  int64_t kept = 0;
  for (int64_t e = 0; e < n; ++e) {
    if (kept > 0 && !before(entries[kept - 1], entries[e])) entries[kept - 1].count += entries[e].count;
    else entries[kept++] = entries[e];
  }
  return kept;
}

// Maximal correlation: the second greatest singular value of P_ij / sqrt(px_i py_j). The greatest is 1, with the vectors
// sqrt(px) and sqrt(py); it is taken away first.
double maximal_correlation(const Entry* entries, int64_t n, const Roi& roi, const double* px, const double* py, bool symmetrical,
                           double sum, Scratch& scratch) {
  const int64_t levels = roi.levels;
  if (levels < 2) return 1;
  if (levels == 2) {
    double p[2][2] = {};
    for (int64_t e = 0; e < n; ++e) {
      p[entries[e].i][entries[e].j] = entries[e].count / sum;
      if (entries[e].twice) p[entries[e].j][entries[e].i] = entries[e].count / sum;
    }
    return two_level_mcc(p);
  }
  int32_t* rank = scratch.take<int32_t>(levels);  // of the levels that have pairs at this step
  double* root_x = scratch.take<double>(levels);
  double* root_y = scratch.take<double>(levels);
  int64_t active = 0;
  for (int64_t k = 0; k < levels; ++k) {
    if (px[k] + py[k] == 0) continue;
    root_x[active] = std::sqrt(px[k] / sum);
    root_y[active] = std::sqrt(py[k] / sum);
    rank[k] = int32_t(active++);
  }
  if (active < 2) return 0;
  const auto scaled = [&](const Entry& e) { return e.count / sum / (root_x[rank[e.i]] * root_y[rank[e.j]]); };
  if (active <= kDenseEigen) {
    double* m = scratch.take<double>(active * active);
    double* work = scratch.take<double>(2 * active);
    for (int64_t i = 0; i < active; ++i) {
      for (int64_t j = 0; j < active; ++j) m[i * active + j] = -root_x[i] * root_y[j];
    }
    for (int64_t e = 0; e < n; ++e) {
      const int64_t i = rank[entries[e].i], j = rank[entries[e].j];
      const double value = scaled(entries[e]);
      m[i * active + j] += value;
      if (entries[e].twice) m[j * active + i] += value;
    }
    if (symmetrical) return greatest_eigenvalue_magnitude(m, active, work);
    double* square = scratch.take<double>(active * active);
    for (int64_t i = 0; i < active; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < active; ++k) dot += m[i * active + k] * m[j * active + k];
        square[i * active + j] = square[j * active + i] = dot;
      }
    }
    return std::sqrt(greatest_eigenvalue_magnitude(square, active, work));
  }
  const auto multiply = [&](const double* x, double* y, bool transposed) {
    const double* from = transposed ? root_x : root_y;
    const double* to = transposed ? root_y : root_x;
    double dot = 0;
    for (int64_t k = 0; k < active; ++k) dot += from[k] * x[k];
    for (int64_t k = 0; k < active; ++k) y[k] = -dot * to[k];
    for (int64_t e = 0; e < n; ++e) {
      int64_t i = rank[entries[e].i], j = rank[entries[e].j];
      if (transposed) std::swap(i, j);
      const double value = scaled(entries[e]);
      y[i] += value * x[j];
      if (entries[e].twice) y[j] += value * x[i];
    }
  };
  if (symmetrical) return greatest_eigenvalue_magnitude_of(active, [&](const double* x, double* y) { multiply(x, y, false); });
  std::vector<double> middle(static_cast<size_t>(active));
  return std::sqrt(greatest_eigenvalue_magnitude_of(active, [&](const double* x, double* y) {
    multiply(x, middle.data(), true);
    multiply(middle.data(), y, false);
  }));
}

// The features of one matrix.
void describe(const Glcm& p, const Roi& roi, const Entry* entries, int64_t n, bool whole, double* f) {
  Scratch scratch;
  const int64_t levels = roi.levels;
  const double* grey = roi.grey;
  const double highest = grey[levels - 1];
  double* px = scratch.take<double>(2 * levels);  // as counts
  double* py = px + levels;
  std::fill(px, px + 2 * levels, 0.0);
  Distribution difference(highest, n, scratch), sum(2 * highest, n, scratch);
  double total_count = 0, greatest = 0;
  for (int64_t e = 0; e < n; ++e) {
    const auto [i, j, count, twice] = entries[e];
    px[i] += count;
    py[j] += count;
    if (twice) {
      px[j] += count;
      py[i] += count;
    }
    const double both = twice ? 2 * count : count;
    total_count += both;
    greatest = std::max(greatest, count);
    difference.add(std::fabs(grey[i] - grey[j]), both);
    sum.add(grey[i] + grey[j], both);
  }
  difference.finish();
  sum.finish();
  const Total total(total_count, whole);
  // A factor for the entropies alone. Elsewhere a quotient rounds as the definition's does: what cancels there must cancel here.
  const double share = 1 / total_count;

  double ux = 0, uy = 0, hx = 0, hy = 0, variance_x = 0, variance_y = 0;
  for (int64_t k = 0; k < levels; ++k) {
    ux += grey[k] * (px[k] / total_count);  // divided first: a single level gives its own number, to the last bit
    uy += grey[k] * (py[k] / total_count);
    hx += total.surprise(px[k]);
    hy += total.surprise(py[k]);
  }
  hx *= share;
  hy *= share;
  for (int64_t k = 0; k < levels; ++k) {
    variance_x += (grey[k] - ux) * (grey[k] - ux) * (px[k] / total_count);
    variance_y += (grey[k] - uy) * (grey[k] - uy) * (py[k] / total_count);
  }

  double autocorrelation = 0, covariance = 0, energy = 0, joint_entropy = 0;
  for (int64_t e = 0; e < n; ++e) {
    const auto [i, j, count, twice] = entries[e];
    const double q = count / total_count, m = twice ? 2 : 1;
    autocorrelation += m * q * grey[i] * grey[j];
    covariance += q * (grey[i] - ux) * (grey[j] - uy);
    if (twice) covariance += q * (grey[j] - ux) * (grey[i] - uy);
    energy += m * q * q;
    joint_entropy += m * total.surprise(count);
  }
  joint_entropy *= share;

  double d_mean = 0, d_entropy = 0, d_variance = 0, contrast = 0, id = 0, idm = 0, idn = 0, idmn = 0, inverse_variance = 0;
  for (const auto& [k, weight] : difference) {
    if (weight == 0) continue;
    const double q = weight / total_count, part = k / highest;
    d_mean += k * q;
    d_entropy += total.surprise(weight);
    contrast += k * k * q;
    id += q / (1 + k);
    idm += q / (1 + k * k);
    idn += q / (1 + part);
    idmn += q / (1 + part * part);
    if (k > 0) inverse_variance += q / (k * k);
  }
  for (const auto& [k, weight] : difference) d_variance += (k - d_mean) * (k - d_mean) * (weight / total_count);
  double s_mean = 0, s_entropy = 0, tendency = 0, shade = 0, prominence = 0;
  for (const auto& [k, weight] : sum) {
    if (weight == 0) continue;
    const double q = weight / total_count, d = k - ux - uy;
    s_mean += k * q;
    s_entropy += total.surprise(weight);
    tendency += d * d * q;
    shade += d * d * d * q;
    prominence += d * d * (d * d) * q;
  }

  // HXY1 and HXY2 of PyRadiomics are both the sum of the marginal entropies, whatever the matrix.
  const double information = hx + hy - joint_entropy;  // mutual information, >= 0 but for rounding
  const double deviations = std::sqrt(variance_x) * std::sqrt(variance_y);
  const bool one_level = greatest == total_count;
  f[kAutocorrelation] = autocorrelation;
  f[kClusterProminence] = prominence;
  f[kClusterShade] = shade;
  f[kClusterTendency] = f[kSumVariance] = tendency;
  f[kContrast] = contrast;
  f[kCorrelation] = deviations == 0 ? 1 : covariance / (deviations + kEpsilon);
  f[kDifferenceAverage] = f[kDissimilarity] = d_mean;
  f[kDifferenceEntropy] = d_entropy * share;
  f[kDifferenceVariance] = d_variance;
  f[kId] = f[kHomogeneity1] = id;
  f[kIdm] = f[kHomogeneity2] = idm;
  f[kIdmn] = idmn;
  f[kIdn] = idn;
  f[kImc1] = one_level || std::max(hx, hy) == 0 ? 0 : -information / std::max(hx, hy);
  f[kImc2] = one_level || information <= 0 ? 0 : std::sqrt(1 - std::exp(-2 * information));
  f[kInverseVariance] = inverse_variance;
  f[kJointAverage] = ux;
  f[kJointEnergy] = energy;
  f[kJointEntropy] = joint_entropy;
  f[kMcc] = maximal_correlation(entries, n, roi, px, py, p.symmetrical, total_count, scratch);
  f[kMaximumProbability] = greatest / total_count;
  f[kSumAverage] = s_mean;
  f[kSumEntropy] = s_entropy * share;
  f[kSumSquares] = variance_x;
}

void write_matrix(MatrixRows& rows, const Roi& roi, const Entry* entries, int64_t n, int64_t angle) {
  for (int64_t e = 0; e < n; ++e) {
    const auto [i, j, count, twice] = entries[e];
    rows.add(roi.grey[i] - 1, roi.grey[j] - 1, double(angle), count);
    if (twice) rows.add(roi.grey[j] - 1, roi.grey[i] - 1, double(angle), count);
  }
}

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
  Entry* entries = scratch.take<Entry>(counter.capacity(1) + (merged ? counter.capacity(step_count) : 0));

  if (merged) {
    int64_t n = 0;
    counter.each(steps, step_count, [&](int64_t s, auto list) {
      const double d = step_length(p.weighting, steps[s], p.spacing_x, p.spacing_y);
      const double weight = p.weighting == Weighting::none ? 1 : std::exp(-d * d);
      if (weight == 0) return;
      const int64_t end = n + list(entries + n);
      for (int64_t e = n; e < end; ++e) entries[e].count *= weight;
      n = merge(entries, end);
    });
    if (n > 0) describe(p, roi, entries, n, p.weighting == Weighting::none, out);
    return;
  }
  double sums[kGlcmColumns] = {};
  int64_t angles = 0, with_mcc = 0;  // MCC alone can be NaN at some angles
  MatrixRows rows(p);
  counter.each(steps, step_count, [&](int64_t s, auto list) {
    const int64_t n = list(entries);
    if (n == 0) return;
    double features[kGlcmColumns];
    describe(p, roi, entries, n, true, features);
    ++angles;
    with_mcc += !std::isnan(features[kMcc]);
    if (std::isnan(features[kMcc])) features[kMcc] = 0;
    for (int k = 0; k < kGlcmColumns; ++k) sums[k] += features[k];
    if (r == 0 && p.matrix) write_matrix(rows, roi, entries, n, step_count - 1 - s);  // PyRadiomics' order of angles
  });
  if (angles == 0) return;
  for (int k = 0; k < kGlcmColumns; ++k) out[k] = sums[k] / double(k == kMcc ? with_mcc : angles);
}

void glcm(const Glcm& p) { fill_rows(p); }

}  // namespace uam::cpu
