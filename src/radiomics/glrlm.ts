import { hostKernel } from '../native/call.js';
import { type FeatureDefinition, type TextureClass, writeMatrix } from './feature_class.js';
import { gatherRoi, nanMean, type Roi, type RoiInput } from './roi.js';
import type { WeightingNorm } from './settings.js';
import { countPairs, describeSizes, type SizeEntry } from './size_matrix.js';
import { stepLength } from './weighting.js';

const features: readonly FeatureDefinition[] = [
  { name: 'GrayLevelNonUniformity', unit: '1', definition: 'sum over grey levels of (runs of the level)^2, / runs' },
  { name: 'GrayLevelNonUniformityNormalized', unit: '1', definition: 'GrayLevelNonUniformity / runs' },
  { name: 'GrayLevelVariance', unit: '1', definition: 'variance of the grey level over runs' },
  { name: 'HighGrayLevelRunEmphasis', unit: '1', definition: 'mean i^2 over runs, i the grey level' },
  { name: 'LongRunEmphasis', unit: '1', definition: 'mean j^2 over runs, j the length' },
  { name: 'LongRunHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 j^2 over runs' },
  { name: 'LongRunLowGrayLevelEmphasis', unit: '1', definition: 'mean j^2 / i^2 over runs' },
  { name: 'LowGrayLevelRunEmphasis', unit: '1', definition: 'mean 1 / i^2 over runs' },
  { name: 'RunEntropy', unit: 'bits', definition: '-sum p log2(p + eps) of the pairs (i, j)' },
  { name: 'RunLengthNonUniformity', unit: '1', definition: 'sum over lengths of (runs of the length)^2, / runs' },
  { name: 'RunLengthNonUniformityNormalized', unit: '1', definition: 'RunLengthNonUniformity / runs' },
  { name: 'RunPercentage', unit: '1', definition: 'runs / pixels' },
  { name: 'RunVariance', unit: '1', definition: 'variance of the length over runs' },
  { name: 'ShortRunEmphasis', unit: '1', definition: 'mean 1 / j^2 over runs' },
  { name: 'ShortRunHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 / j^2 over runs' },
  { name: 'ShortRunLowGrayLevelEmphasis', unit: '1', definition: 'mean 1 / (i^2 j^2) over runs' },
];

interface Params extends RoiInput {
  /** `[4]`, factors of the directions: their matrices are added up. Absent: the features of each direction are averaged. */
  weights?: Float64Array | undefined;
  out: Float64Array;
}

const DIRECTIONS = [
  { dy: 1, dx: 1 },
  { dy: 1, dx: 0 },
  { dy: 1, dx: -1 },
  { dy: 0, dx: 1 },
] as const;

type Direction = (typeof DIRECTIONS)[number];

/** The matrix of one direction; empty where no line holds two pixels of the region. */
function runs(roi: Roi, { dy, dx }: Direction): SizeEntry[] {
  const lines = new Set(roi.pixels.map(({ x, y }) => x * dy - y * dx));
  if (lines.size === roi.pixels.length) return [];
  const starts = roi.pixels.filter(({ x, y, level }) => roi.levelAt(x - dx, y - dy) !== level);
  return countPairs(
    starts.map(({ x, y, level }) => {
      let size = 1;
      while (roi.levelAt(x + size * dx, y + size * dy) === level) size++;
      return { level, size, count: 1 };
    }),
  );
}

function features16(entries: readonly SizeEntry[]): number[] {
  const f = describeSizes(entries);
  const row: Record<string, number> = {
    GrayLevelNonUniformity: f.levelNonUniformity,
    GrayLevelNonUniformityNormalized: f.levelNonUniformityNormalized,
    GrayLevelVariance: f.levelVariance,
    HighGrayLevelRunEmphasis: f.highLevel,
    LongRunEmphasis: f.large,
    LongRunHighGrayLevelEmphasis: f.largeHigh,
    LongRunLowGrayLevelEmphasis: f.largeLow,
    LowGrayLevelRunEmphasis: f.lowLevel,
    RunEntropy: f.entropy,
    RunLengthNonUniformity: f.sizeNonUniformity,
    RunLengthNonUniformityNormalized: f.sizeNonUniformityNormalized,
    RunPercentage: f.percentage,
    RunVariance: f.sizeVariance,
    ShortRunEmphasis: f.small,
    ShortRunHighGrayLevelEmphasis: f.smallHigh,
    ShortRunLowGrayLevelEmphasis: f.smallLow,
  };
  return features.map(({ name }) => row[name] as number);
}

/** As PyRadiomics computes it from a matrix without runs: sums over no run lengths are 0, and all else is divided by 0 runs. */
const withoutRuns = () => features.map(({ name }) => (name === 'RunEntropy' || name === 'RunVariance' ? 0 : Number.NaN));

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const textured = roi.pixels.length > 1;
  const matrices = DIRECTIONS.map((direction) => (textured ? runs(roi, direction) : []));
  if (r === 0) writeMatrix(p.matrix, rawRows(roi, matrices));
  if (!textured) return features.map(() => Number.NaN);
  if (p.weights) {
    const weights = p.weights;
    const weighted = matrices.flatMap((entries, d) => entries.map((entry) => ({ ...entry, count: entry.count * (weights[d] as number) })));
    return weighted.length > 0 ? features16(countPairs(weighted)) : withoutRuns();
  }
  const rows = matrices.filter((entries) => entries.length > 0).map(features16);
  return features.map((_, column) => nanMean(rows.map((row) => row[column] as number)));
}

/** Rows level - 1, length - 1, direction, count; directions that the box is too narrow for have no number. */
function rawRows(roi: Roi, matrices: SizeEntry[][]): number[][] {
  const fits = ({ dy, dx }: Direction) => dy < roi.boxHeight && Math.abs(dx) < roi.boxWidth;
  return matrices
    .filter((_, d) => fits(DIRECTIONS[d] as Direction))
    .flatMap((entries, angle) => entries.map(({ level, size, count }) => [level - 1, size - 1, angle, count]))
    .sort((a, b) => a.map((value, k) => value - (b[k] as number)).find((difference) => difference !== 0) ?? 0);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Each direction weighs what its step measures. */
function weights(norm: WeightingNorm | null, spacing: readonly [number, number]): Float64Array | undefined {
  if (!norm) return undefined;
  return Float64Array.from(DIRECTIONS, (step) => (norm === 'no_weighting' ? 1 : stepLength(norm, step, spacing)));
}

/** Runs of equal grey level along rows, columns and diagonals. */
export const glrlm: TextureClass<Params> = {
  name: 'glrlm',
  source: 'PyRadiomics 3.1 radiomics.glrlm; IBSI 3.7',
  features,
  kernel: hostKernel('glrlm', reference),
  params: (input, settings, spacing, out) => ({ ...input, weights: weights(settings.weightingNorm, spacing), out }),
};
