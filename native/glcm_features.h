// The features of one grey level co-occurrence matrix, on any device; `work` is where they take their memory from.
#pragma once
#include <cmath>

#include "kernels/glcm.h"
#include "sorting.h"
#include "symmetric_eigen.h"
#include "two_level_mcc.h"

namespace uam {

constexpr double kDenseGrey = 4096;   // up to this grey level sums and differences of levels index a table
constexpr int64_t kDenseEigen = 400;  // up to this many levels the eigenvalues come from the whole matrix

// An entry of the matrix: `count` at (i, j), and the same at (j, i) where `twice`.
struct GlcmEntry {
  int32_t i, j;
  double count;
  bool twice;
};

// n log2 n is what entropies are made of: sum p log2(1 / p) = sum count (log2 total - log2 count) / total. PyRadiomics' eps inside the
// logarithm moves that by less than 1e-13.
struct GlcmTotal {
  double sum, log2_sum;
  const double* logs;
  bool whole;  // whole counts have their logarithms in a table

  UAM_HD GlcmTotal(double total, bool whole_counts, const double* logs)
      : sum(total), log2_sum(whole_counts ? log2_of(int64_t(total), logs) : log2(total)), logs(logs), whole(whole_counts) {}

  UAM_HD double surprise(double count) const {  // exactly 0 for all or nothing
    if (count == 0) return 0;
    return count * (log2_sum - (whole ? log2_of(int64_t(count), logs) : log2(count)));
  }
};

struct GlcmPair {
  double key, weight;
};

// The distribution of a key over the entries (the sum or the difference of their levels).
template <class Work> class GlcmDistribution {
 public:
  UAM_HD GlcmDistribution(double highest, int64_t entries, Work& work)
      : work_(work),
        dense_(highest <= 2 * kDenseGrey),
        pairs_(work.template take<GlcmPair>(dense_ ? int64_t(highest) + 1 : entries)),
        size_(0) {
    if (!dense_) return;
    size_ = int64_t(highest) + 1;
    for (int64_t k = 0; k < size_; ++k) pairs_[k] = {double(k), 0};
  }
  UAM_HD void add(double key, double weight) {
    if (dense_) pairs_[int64_t(key)].weight += weight;
    else pairs_[size_++] = {key, weight};
  }
  UAM_HD void finish() {
    if (dense_) return;
    sort_list(work_, pairs_, size_,
              [](const GlcmPair& a, const GlcmPair& b) { return a.key < b.key || (a.key == b.key && a.weight < b.weight); });
    int64_t kept = 0;
    for (int64_t k = 0; k < size_; ++k) {
      if (kept > 0 && pairs_[kept - 1].key == pairs_[k].key) pairs_[kept - 1].weight += pairs_[k].weight;
      else pairs_[kept++] = pairs_[k];
    }
    size_ = kept;
  }
  UAM_HD const GlcmPair* begin() const { return pairs_; }
  UAM_HD const GlcmPair* end() const { return pairs_ + size_; }

 private:
  Work& work_;
  bool dense_;
  GlcmPair* pairs_;
  int64_t size_;
};

// Adds equal entries up.
template <class Work> UAM_HD int64_t merge_entries(GlcmEntry* entries, int64_t n, Work& work) {
  const auto before = [](const GlcmEntry& a, const GlcmEntry& b) { return a.i != b.i ? a.i < b.i : a.j < b.j; };
  stable_sort_list(work, entries, n, before);
  int64_t kept = 0;
  for (int64_t e = 0; e < n; ++e) {
    if (kept > 0 && !before(entries[kept - 1], entries[e])) entries[kept - 1].count += entries[e].count;
    else entries[kept++] = entries[e];
  }
  return kept;
}

// Maximal correlation: the second greatest singular value of P_ij / sqrt(px_i py_j). The greatest is 1, with the vectors
// sqrt(px) and sqrt(py); it is taken away first.
template <class Work> UAM_HD double maximal_correlation(const GlcmEntry* entries, int64_t n, const Roi& roi, const double* px,
                                                        const double* py, bool symmetrical, double sum, Work& work) {
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
  int32_t* rank = work.template take<int32_t>(levels);  // of the levels that have pairs at this step
  double* root_x = work.template take<double>(levels);
  double* root_y = work.template take<double>(levels);
  int64_t active = 0;
  for (int64_t k = 0; k < levels; ++k) {
    if (px[k] + py[k] == 0) continue;
    root_x[active] = sqrt(px[k] / sum);
    root_y[active] = sqrt(py[k] / sum);
    rank[k] = int32_t(active++);
  }
  if (active < 2) return 0;
  const auto scaled = [&](const GlcmEntry& e) { return e.count / sum / (root_x[rank[e.i]] * root_y[rank[e.j]]); };
  if (active <= kDenseEigen) {
    double* m = work.template take<double>(active * active);
    double* diagonals = work.template take<double>(2 * active);
    for (int64_t i = 0; i < active; ++i) {
      for (int64_t j = 0; j < active; ++j) m[i * active + j] = -root_x[i] * root_y[j];
    }
    for (int64_t e = 0; e < n; ++e) {
      const int64_t i = rank[entries[e].i], j = rank[entries[e].j];
      const double value = scaled(entries[e]);
      m[i * active + j] += value;
      if (entries[e].twice) m[j * active + i] += value;
    }
    if (symmetrical) return greatest_eigenvalue_magnitude(m, active, diagonals);
    double* square = work.template take<double>(active * active);
    for (int64_t i = 0; i < active; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < active; ++k) dot += m[i * active + k] * m[j * active + k];
        square[i * active + j] = square[j * active + i] = dot;
      }
    }
    return sqrt(greatest_eigenvalue_magnitude(square, active, diagonals));
  }
  const auto multiply = [&](const double* x, double* y, bool transposed) {
    const double* from = transposed ? root_x : root_y;
    const double* to = transposed ? root_y : root_x;
    double dot = 0;
    for (int64_t k = 0; k < active; ++k) dot += from[k] * x[k];
    for (int64_t k = 0; k < active; ++k) y[k] = -dot * to[k];
    for (int64_t e = 0; e < n; ++e) {
      int64_t i = rank[entries[e].i], j = rank[entries[e].j];
      if (transposed) {
        const int64_t k = i;
        i = j;
        j = k;
      }
      const double value = scaled(entries[e]);
      y[i] += value * x[j];
      if (entries[e].twice) y[j] += value * x[i];
    }
  };
  if (symmetrical)
    return greatest_eigenvalue_magnitude_of(
        active, [&](const double* x, double* y) { multiply(x, y, false); }, work);
  double* middle = work.template take<double>(active);
  return sqrt(greatest_eigenvalue_magnitude_of(
      active,
      [&](const double* x, double* y) {
        multiply(x, middle, true);
        multiply(middle, y, false);
      },
      work));
}

// The features of one matrix.
template <class Work>
UAM_HD void glcm_features(const Glcm& p, const Roi& roi, const GlcmEntry* entries, int64_t n, bool whole, double* f, Work& work) {
  const int64_t levels = roi.levels;
  const double* grey = roi.grey;
  const double highest = grey[levels - 1];
  double* px = work.template take<double>(2 * levels);  // as counts
  double* py = px + levels;
  for (int64_t k = 0; k < 2 * levels; ++k) px[k] = 0;
  GlcmDistribution<Work> difference(highest, n, work), sum(2 * highest, n, work);
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
    greatest = most(greatest, count);
    difference.add(fabs(grey[i] - grey[j]), both);
    sum.add(grey[i] + grey[j], both);
  }
  difference.finish();
  sum.finish();
  const GlcmTotal total(total_count, whole, roi.logs);
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
  const double deviations = sqrt(variance_x) * sqrt(variance_y);
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
  f[kImc1] = one_level || most(hx, hy) == 0 ? 0 : -information / most(hx, hy);
  f[kImc2] = one_level || information <= 0 ? 0 : sqrt(1 - exp(-2 * information));
  f[kInverseVariance] = inverse_variance;
  f[kJointAverage] = ux;
  f[kJointEnergy] = energy;
  f[kJointEntropy] = joint_entropy;
  f[kMcc] = maximal_correlation(entries, n, roi, px, py, p.symmetrical, total_count, work);
  f[kMaximumProbability] = greatest / total_count;
  f[kSumAverage] = s_mean;
  f[kSumEntropy] = s_entropy * share;
  f[kSumSquares] = variance_x;
}

UAM_HD inline void write_pairs(MatrixRows& rows, const Roi& roi, const GlcmEntry* entries, int64_t n, int64_t angle) {
  for (int64_t e = 0; e < n; ++e) {
    const auto [i, j, count, twice] = entries[e];
    rows.add(roi.grey[i] - 1, roi.grey[j] - 1, double(angle), count);
    if (twice) rows.add(roi.grey[j] - 1, roi.grey[i] - 1, double(angle), count);
  }
}

// The bytes that glcm_features takes at most, of so many levels and entries.
UAM_HD inline int64_t glcm_feature_bytes(int64_t levels, double highest, int64_t entries, bool symmetrical) {
  const double most_keys = 2 * kDenseGrey + 1;
  const int64_t keys = highest < most_keys ? int64_t(highest) : int64_t(most_keys);
  const int64_t pairs = 32 * (2 * keys + 1) + (highest > kDenseGrey ? 64 * entries : 0);
  const int64_t dense = least(levels, kDenseEigen), whole = 8 * dense * dense * (symmetrical ? 1 : 2) + 16 * dense;
  const int64_t lanczos = levels > kDenseEigen ? 8 * (levels + 4) * (kLanczosSteps + 3) + 32 * kLanczosSteps : 0;
  return 48 * levels + pairs + most(whole, lanczos) + 1024;
}

// The mean over the angles that have pairs. MCC alone can be NaN at some of them.
struct GlcmMean {
  double sums[kGlcmColumns] = {};
  int64_t angles = 0, with_mcc = 0;

  UAM_HD void add(const double* features) {
    const bool correlates = features[kMcc] == features[kMcc];
    ++angles;
    with_mcc += correlates;
    for (int k = 0; k < kGlcmColumns; ++k) sums[k] += k == kMcc && !correlates ? 0 : features[k];
  }
  UAM_HD void write(double* out) const {
    for (int k = 0; k < kGlcmColumns; ++k) out[k] = sums[k] / double(k == kMcc ? with_mcc : angles);
  }
};

}  // namespace uam
