import { hostKernel } from '../native/call.js';
import { type FeatureDefinition, type TextureClass, writeMatrix } from './feature_class.js';
import { entropy, gatherRoi, nanMean, type Roi, type RoiInput, steps } from './roi.js';
import { largestSingularValueBut1 } from './singular_value.js';
import { twoLevelMcc } from './two_level_mcc.js';
import { stepLength, WEIGHTINGS } from './weighting.js';

const features: readonly FeatureDefinition[] = [
  { name: 'Autocorrelation', unit: '1', definition: 'sum p(i, j) i j' },
  { name: 'ClusterProminence', unit: '1', definition: 'sum (i + j - ux - uy)^4 p' },
  { name: 'ClusterShade', unit: '1', definition: 'sum (i + j - ux - uy)^3 p' },
  { name: 'ClusterTendency', unit: '1', definition: 'sum (i + j - ux - uy)^2 p' },
  { name: 'Contrast', unit: '1', definition: 'sum (i - j)^2 p' },
  { name: 'Correlation', unit: '1', definition: 'covariance of i and j over the product of their deviations; 1 where one is 0' },
  { name: 'DifferenceAverage', unit: '1', definition: 'mean of |i - j|' },
  { name: 'DifferenceEntropy', unit: 'bits', definition: 'entropy of |i - j|' },
  { name: 'DifferenceVariance', unit: '1', definition: 'variance of |i - j|' },
  { name: 'Dissimilarity', unit: '1', definition: 'equals DifferenceAverage', deprecated: true },
  { name: 'Homogeneity1', unit: '1', definition: 'equals Id', deprecated: true },
  { name: 'Homogeneity2', unit: '1', definition: 'equals Idm', deprecated: true },
  { name: 'Id', unit: '1', definition: 'inverse difference: sum p / (1 + |i - j|)' },
  { name: 'Idm', unit: '1', definition: 'inverse difference moment: sum p / (1 + (i - j)^2)' },
  { name: 'Idmn', unit: '1', definition: 'sum p / (1 + (i - j)^2 / Ng^2), Ng the highest level present' },
  { name: 'Idn', unit: '1', definition: 'sum p / (1 + |i - j| / Ng), Ng the highest level present' },
  { name: 'Imc1', unit: '1', definition: 'informational measure of correlation: (HXY - HXY1) / max(HX, HY); 0 where that is 0' },
  { name: 'Imc2', unit: '1', definition: 'informational measure of correlation: sqrt(1 - exp(-2 (HXY2 - HXY)))' },
  { name: 'InverseVariance', unit: '1', definition: 'sum over k > 0 of p(|i - j| = k) / k^2' },
  { name: 'JointAverage', unit: '1', definition: 'ux, the mean of i' },
  { name: 'JointEnergy', unit: '1', definition: 'sum p^2' },
  { name: 'JointEntropy', unit: 'bits', definition: '-sum p log2(p + eps)' },
  {
    name: 'MCC',
    unit: '1',
    definition: 'maximal correlation coefficient: root of the second greatest eigenvalue of sum_k p(i, k) p(j, k) / (px(i) py(k))',
  },
  { name: 'MaximumProbability', unit: '1', definition: 'greatest p' },
  { name: 'SumAverage', unit: '1', definition: 'mean of i + j' },
  { name: 'SumEntropy', unit: 'bits', definition: 'entropy of i + j' },
  { name: 'SumSquares', unit: '1', definition: 'sum (i - ux)^2 p' },
  { name: 'SumVariance', unit: '1', definition: 'equals ClusterTendency', deprecated: true },
];

interface Params extends RoiInput {
  distanceCount: number;
  distances: Int32Array;
  symmetrical: boolean;
  /** An index of WEIGHTINGS. */
  weighting: number;
  spacingX: number;
  spacingY: number;
  out: Float64Array;
}

/** `counts[i][j]` for the levels that are present. */
type Matrix = number[][];

const zeros = (levels: number): Matrix => Array.from({ length: levels }, () => new Array<number>(levels).fill(0));
const total = (matrix: Matrix): number => matrix.flat().reduce((a, b) => a + b, 0);

function countPairs(p: Params, roi: Roi, dy: number, dx: number): Matrix {
  const matrix = zeros(roi.grey.length);
  const rank = new Map(roi.grey.map((grey, index) => [grey, index]));
  const add = (i: number, j: number) => {
    (matrix[i] as number[])[j] = (matrix[i]?.[j] ?? 0) + 1;
  };
  for (const { x, y, level } of roi.pixels) {
    const j = rank.get(roi.levelAt(x + dx, y + dy));
    const i = rank.get(level) as number;
    if (j === undefined) continue;
    add(i, j);
    if (p.symmetrical) add(j, i);
  }
  return matrix;
}

function maximalCorrelation(p: Matrix): number {
  if (p.length < 2) return 1;
  return p.length === 2 ? twoLevelMcc(p) : largestSingularValueBut1(p);
}

function describe(matrix: Matrix, grey: readonly number[]): number[] {
  const sum = total(matrix);
  const highest = grey[grey.length - 1] as number;
  const entries = matrix.flatMap((row, a) =>
    row.map((count, b) => ({ i: grey[a] as number, j: grey[b] as number, a, b, count, p: count / sum })),
  );
  const over = (f: (entry: (typeof entries)[number]) => number) => entries.reduce((acc, entry) => acc + f(entry), 0);
  // Counts are summed and divided last, so that what holds every pair has the share 1 and no spread, also where weights are no integers.
  const distribution = (key: (entry: (typeof entries)[number]) => number): [number, number][] => {
    const counts = new Map<number, number>();
    for (const entry of entries) counts.set(key(entry), (counts.get(key(entry)) ?? 0) + entry.count);
    return [...counts].sort(([k], [l]) => k - l).map(([k, count]) => [k, count / sum]);
  };
  const mean = (shares: [number, number][], f: (k: number) => number) => shares.reduce((acc, [k, p]) => acc + f(k) * p, 0);
  const px = distribution(({ i }) => i);
  const py = distribution(({ j }) => j);
  const difference = distribution(({ i, j }) => Math.abs(i - j));
  const sums = distribution(({ i, j }) => i + j);
  const shares = (list: [number, number][]) => list.map(([, p]) => p);
  const ux = mean(px, (k) => k);
  const uy = mean(py, (k) => k);
  const variance = (list: [number, number][], centre: number) => mean(list, (k) => (k - centre) ** 2);
  const deviations = Math.sqrt(variance(px, ux)) * Math.sqrt(variance(py, uy));
  const hx = entropy(shares(px));
  const hy = entropy(shares(py));
  const hxy = entropy(entries.map(({ p }) => p));
  const oneLevel = entries.some(({ p }) => p === 1);
  const information = oneLevel ? 0 : hx + hy - hxy; // HXY1 - HXY and HXY2 - HXY: both are the mutual information
  const differenceMean = mean(difference, (k) => k);
  const row: Record<string, number> = {
    Autocorrelation: over(({ i, j, p }) => i * j * p),
    ClusterProminence: mean(sums, (k) => (k - ux - uy) ** 4),
    ClusterShade: mean(sums, (k) => (k - ux - uy) ** 3),
    ClusterTendency: mean(sums, (k) => (k - ux - uy) ** 2),
    Contrast: mean(difference, (k) => k ** 2),
    Correlation: deviations === 0 ? 1 : over(({ i, j, p }) => (i - ux) * (j - uy) * p) / deviations,
    DifferenceAverage: differenceMean,
    DifferenceEntropy: entropy(shares(difference)),
    DifferenceVariance: mean(difference, (k) => (k - differenceMean) ** 2),
    Id: mean(difference, (k) => 1 / (1 + k)),
    Idm: mean(difference, (k) => 1 / (1 + k ** 2)),
    Idmn: mean(difference, (k) => 1 / (1 + (k / highest) ** 2)),
    Idn: mean(difference, (k) => 1 / (1 + k / highest)),
    Imc1: information === 0 ? 0 : -information / Math.max(hx, hy),
    Imc2: information <= 0 ? 0 : Math.sqrt(1 - Math.exp(-2 * information)),
    InverseVariance: mean(difference, (k) => (k > 0 ? 1 / k ** 2 : 0)),
    JointAverage: ux,
    JointEnergy: over(({ p }) => p ** 2),
    JointEntropy: hxy,
    MCC: maximalCorrelation(matrix.map((line) => line.map((count) => count / sum))),
    MaximumProbability: entries.reduce((greatest, { p }) => Math.max(greatest, p), 0),
    SumAverage: mean(sums, (k) => k),
    SumEntropy: entropy(shares(sums)),
    SumSquares: variance(px, ux),
  };
  const same: Record<string, string> = {
    Dissimilarity: 'DifferenceAverage',
    Homogeneity1: 'Id',
    Homogeneity2: 'Idm',
    SumVariance: 'ClusterTendency',
  };
  return features.map(({ name }) => row[same[name] ?? name] as number);
}

function region(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const list = steps(p.distances, roi);
  const matrices = list.map(({ dy, dx }) => countPairs(p, roi, dy, dx));
  if (r === 0) {
    const level = (rank: number) => (roi.grey[rank] as number) - 1;
    const angle = (s: number) => list.length - 1 - s; // PyRadiomics' order of angles
    writeMatrix(
      p.matrix,
      matrices.flatMap((matrix, s) =>
        matrix.flatMap((row, i) => row.flatMap((n, j) => (n > 0 ? [[level(i), level(j), angle(s), n]] : []))),
      ),
    );
  }
  if (p.weighting === 0) {
    const rows = matrices.filter((matrix) => total(matrix) > 0).map((matrix) => describe(matrix, roi.grey));
    return features.map((_, column) => nanMean(rows.map((row) => row[column] as number)));
  }
  const merged = zeros(roi.grey.length);
  matrices.forEach((matrix, s) => {
    const norm = WEIGHTINGS[p.weighting];
    const d = stepLength(norm, list[s] as { dy: number; dx: number }, [p.spacingX, p.spacingY]);
    const weight = norm === 'no_weighting' ? 1 : Math.exp(-(d ** 2));
    matrix.forEach((row, i) => {
      row.forEach((n, j) => {
        (merged[i] as number[])[j] = (merged[i]?.[j] ?? 0) + weight * n;
      });
    });
  });
  return total(merged) > 0 ? describe(merged, roi.grey) : features.map(() => Number.NaN);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(region(p, r), r * features.length);
}

/** Grey level co-occurrence: which levels stand beside which. */
export const glcm: TextureClass<Params> = {
  name: 'glcm',
  source: 'PyRadiomics 3.1 radiomics.glcm; IBSI 3.6; Haralick et al. 1973',
  features,
  kernel: hostKernel('glcm', reference),
  params: (input, settings, spacing, out) => ({
    ...input,
    distanceCount: settings.distances.length,
    distances: Int32Array.from(settings.distances),
    symmetrical: settings.symmetricalGLCM,
    weighting: WEIGHTINGS.indexOf(settings.weightingNorm),
    spacingX: spacing[0],
    spacingY: spacing[1],
    out,
  }),
};
