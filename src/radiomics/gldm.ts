import { hostKernel } from '../native/call.js';
import { type FeatureDefinition, type TextureClass, writeMatrix } from './feature_class.js';
import { gatherRoi, type Roi, type RoiInput, steps } from './roi.js';
import { countPairs, describeSizes, type SizeEntry } from './size_matrix.js';

const features: readonly FeatureDefinition[] = [
  { name: 'DependenceEntropy', unit: 'bits', definition: '-sum p log2(p + eps) of the pairs (i, j)' },
  { name: 'DependenceNonUniformity', unit: '1', definition: 'sum over j of (pixels with j)^2, / pixels' },
  { name: 'DependenceNonUniformityNormalized', unit: '1', definition: 'DependenceNonUniformity / pixels' },
  { name: 'DependencePercentage', unit: '1', definition: 'always 1', deprecated: true },
  { name: 'DependenceVariance', unit: '1', definition: 'variance of j' },
  { name: 'GrayLevelNonUniformity', unit: '1', definition: 'sum over grey levels of (pixels of the level)^2, / pixels' },
  {
    name: 'GrayLevelNonUniformityNormalized',
    unit: '1',
    definition: 'GrayLevelNonUniformity / pixels; equals Uniformity of firstorder',
    deprecated: true,
  },
  { name: 'GrayLevelVariance', unit: '1', definition: 'variance of the grey level i' },
  { name: 'HighGrayLevelEmphasis', unit: '1', definition: 'mean i^2' },
  {
    name: 'LargeDependenceEmphasis',
    unit: '1',
    definition: 'mean j^2, where j is 1 + the neighbours whose grey level differs by at most gldm_a',
  },
  { name: 'LargeDependenceHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 j^2' },
  { name: 'LargeDependenceLowGrayLevelEmphasis', unit: '1', definition: 'mean j^2 / i^2' },
  { name: 'LowGrayLevelEmphasis', unit: '1', definition: 'mean 1 / i^2' },
  { name: 'SmallDependenceEmphasis', unit: '1', definition: 'mean 1 / j^2' },
  { name: 'SmallDependenceHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 / j^2' },
  { name: 'SmallDependenceLowGrayLevelEmphasis', unit: '1', definition: 'mean 1 / (i^2 j^2)' },
];

interface Params extends RoiInput {
  distanceCount: number;
  /** `[distanceCount]` */
  distances: Int32Array;
  /** A neighbour depends on its centre if their grey levels differ by no more. */
  alpha: number;
  out: Float64Array;
}

/** Each pixel's level with the number of its dependents, itself included. */
function dependents(roi: Roi, around: readonly { dy: number; dx: number }[], alpha: number): SizeEntry[] {
  return countPairs(
    roi.pixels.map(({ x, y, level }) => {
      const neighbors = around.flatMap(({ dy, dx }) => [roi.levelAt(x + dx, y + dy), roi.levelAt(x - dx, y - dy)]);
      const size = 1 + neighbors.filter((neighbor) => neighbor > 0 && Math.abs(neighbor - level) <= alpha).length;
      return { level, size, count: 1 };
    }),
  );
}

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const around = steps(p.distances, roi);
  const entries = around.length > 0 ? dependents(roi, around, p.alpha) : [];
  if (r === 0) {
    writeMatrix(
      p.matrix,
      entries.map(({ level, size, count }) => [level - 1, size - 1, count, 0]),
    );
  }
  if (entries.length === 0) return features.map(() => Number.NaN);
  const f = describeSizes(entries);
  const row: Record<string, number> = {
    DependenceEntropy: f.entropy,
    DependenceNonUniformity: f.sizeNonUniformity,
    DependenceNonUniformityNormalized: f.sizeNonUniformityNormalized,
    DependencePercentage: 1,
    DependenceVariance: f.sizeVariance,
    GrayLevelNonUniformity: f.levelNonUniformity,
    GrayLevelNonUniformityNormalized: f.levelNonUniformityNormalized,
    GrayLevelVariance: f.levelVariance,
    HighGrayLevelEmphasis: f.highLevel,
    LargeDependenceEmphasis: f.large,
    LargeDependenceHighGrayLevelEmphasis: f.largeHigh,
    LargeDependenceLowGrayLevelEmphasis: f.largeLow,
    LowGrayLevelEmphasis: f.lowLevel,
    SmallDependenceEmphasis: f.small,
    SmallDependenceHighGrayLevelEmphasis: f.smallHigh,
    SmallDependenceLowGrayLevelEmphasis: f.smallLow,
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Neighbours of about the same grey level. */
export const gldm: TextureClass<Params> = {
  name: 'gldm',
  source: 'PyRadiomics 3.1 radiomics.gldm; IBSI 3.11',
  features,
  kernel: hostKernel('gldm', reference),
  params: (input, settings, _spacing, out) => ({
    ...input,
    distanceCount: settings.distances.length,
    distances: Int32Array.from(settings.distances),
    alpha: settings.gldm_a,
    out,
  }),
};
