#include "kernels/glrlm.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>
#include <vector>

#include "each_region.h"
#include "size_matrix.h"

namespace uam::cpu {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kDirections = 4;
constexpr Step kDirection[kDirections] = {{1, 1}, {1, 0}, {1, -1}, {0, 1}};

struct Runs {
  LevelSize* pairs[kDirections];
  int64_t count[kDirections];
};

// One pass over the pixels, in rows: a run grows by one where the pixel before has the same level, and ends where the next has not.
Runs find_runs(const Roi& roi, Scratch& scratch) {
  Runs runs;
  for (auto& pairs : runs.pairs) pairs = scratch.take<LevelSize>(roi.n);
  const int64_t places = roi.rows * roi.stride;
  int32_t* lengths = scratch.take<int32_t>(kDirections * places);  // of the run so far, at each place
  std::memset(lengths, 0, size_t(kDirections * places) * sizeof(int32_t));
  int64_t offset[kDirections], count[kDirections] = {};
  for (int d = 0; d < kDirections; ++d) offset[d] = kDirection[d].dy * roi.stride + kDirection[d].dx;
  for (int64_t i = 0; i < roi.n; ++i) {
    const int64_t at = roi.at[i];
    const int32_t level = roi.image[at];
    for (int d = 0; d < kDirections; ++d) {  // no branches: where a run ends is anyone's guess
      const int64_t before = at - offset[d], after = at + offset[d];
      const int32_t goes_on = -int32_t(roi.image[before] == level);
      const int32_t length = (lengths[kDirections * before + d] & goes_on) + 1;
      lengths[kDirections * at + d] = length;
      runs.pairs[d][count[d]] = {level - 1, length};
      count[d] += roi.image[after] != level;
    }
  }
  std::copy(count, count + kDirections, runs.count);
  return runs;
}

// Whether a line in this direction holds two pixels of the region. PyRadiomics drops the directions where none does.
bool has_lines(const Roi& roi, const Runs& runs, int direction, Scratch& scratch) {
  if (runs.count[direction] < roi.n) return true;  // some run is longer than 1
  const Step step = kDirection[direction];
  const int64_t lines = roi.rows + roi.stride;
  uint8_t* seen = scratch.take<uint8_t>(lines);
  std::memset(seen, 0, size_t(lines));
  for (int64_t i = 0; i < roi.n; ++i) {
    const int64_t y = roi.at[i] / roi.stride, x = roi.at[i] - y * roi.stride;
    uint8_t& line = seen[x * step.dy - y * step.dx + (step.dx > 0 ? roi.rows : 0)];
    if (line) return true;
    line = 1;
  }
  return false;
}

using Features = double[Glrlm::kColumns];

void describe(const SizeEntry* entries, int64_t n, const Roi& roi, double* out, Scratch& scratch) {
  Glrlm::write(describe_sizes(entries, n, roi, scratch), out);
}

struct Matrix {
  SizeEntry* entries;
  int64_t n;  // 0: no line of the direction holds two pixels
};

void average(const Matrix (&matrices)[kDirections], const Roi& roi, double* out, Scratch& scratch) {
  std::fill(out, out + Glrlm::kColumns, 0.0);
  int used = 0;
  for (const Matrix& matrix : matrices) {
    if (matrix.n == 0) continue;
    Features features;
    describe(matrix.entries, matrix.n, roi, features, scratch);
    for (int column = 0; column < Glrlm::kColumns; ++column) out[column] += features[column];
    ++used;
  }
  for (int column = 0; column < Glrlm::kColumns; ++column) out[column] = used == 0 ? kNaN : out[column] / used;
}

void merge(const Matrix (&matrices)[kDirections], const double* weights, const Roi& roi, double* out, Scratch& scratch) {
  int64_t n = 0;
  for (const Matrix& matrix : matrices) n += matrix.n;
  if (n == 0) {  // as PyRadiomics, where sums over no run lengths are 0, and all else is divided by 0 runs
    std::fill(out, out + Glrlm::kColumns, kNaN);
    out[Glrlm::kRunEntropy] = out[Glrlm::kRunVariance] = 0;
    return;
  }
  SizeEntry* merged = scratch.take<SizeEntry>(n);
  n = 0;
  for (int d = 0; d < kDirections; ++d)
    for (int64_t e = 0; e < matrices[d].n; ++e) {
      merged[n] = matrices[d].entries[e];
      merged[n++].count *= weights[d];
    }
  const auto place = [](const SizeEntry& entry) { return std::make_tuple(entry.level, entry.size); };
  std::stable_sort(merged, merged + n, [&](const SizeEntry& a, const SizeEntry& b) { return place(a) < place(b); });
  int64_t last = 0;
  for (int64_t e = 1; e < n; ++e) {
    if (place(merged[e]) == place(merged[last])) merged[last].count += merged[e].count;
    else merged[++last] = merged[e];
  }
  Features features;
  describe(merged, last + 1, roi, features, scratch);
  std::copy(features, features + Glrlm::kColumns, out);
}

void write_matrix(const Glrlm& p, const Matrix (&matrices)[kDirections], const Roi& roi) {
  std::vector<std::tuple<double, int32_t, int, double>> rows;
  int direction = 0;  // numbered without those that the box is too narrow for
  for (int d = 0; d < kDirections; ++d) {
    for (int64_t e = 0; e < matrices[d].n; ++e) {
      const SizeEntry& entry = matrices[d].entries[e];
      rows.emplace_back(roi.grey[entry.level] - 1, entry.size - 1, direction, entry.count);
    }
    const bool fits = kDirection[d].dy < roi.box_height && (kDirection[d].dx == 0 || roi.box_width > 1);
    direction += fits;
  }
  std::sort(rows.begin(), rows.end());
  MatrixRows matrix(p);
  for (const auto& [level, length, angle, count] : rows) matrix.add(level, length, angle, count);
}

}  // namespace

int64_t check(const Glrlm&) { return 1; }

void fill_row(const Glrlm& p, const Roi& roi, int64_t r, double* out) {
  Scratch scratch;
  const bool textured = roi.n > 1 && roi.finite;
  Matrix matrices[kDirections] = {};
  if (textured) {
    const Runs runs = find_runs(roi, scratch);
    for (int d = 0; d < kDirections; ++d) {
      if (!has_lines(roi, runs, d, scratch)) continue;
      matrices[d].entries = scratch.take<SizeEntry>(runs.count[d] + 1);
      matrices[d].n = count_pairs(runs.pairs[d], runs.count[d], roi.levels, matrices[d].entries, scratch);
    }
  }
  if (r == 0 && p.matrix) write_matrix(p, matrices, roi);
  if (!textured) std::fill(out, out + Glrlm::kColumns, kNaN);
  else if (p.weights) merge(matrices, p.weights.data, roi, out, scratch);
  else average(matrices, roi, out, scratch);
}

void glrlm(const Glrlm& p) { fill_rows(p); }

}  // namespace uam::cpu
