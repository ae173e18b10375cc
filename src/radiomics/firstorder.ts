import { hostKernel } from '../native/call.js';
import type { FeatureDefinition, TextureClass } from './feature_class.js';
import { entropy, gatherRoi, type RoiInput } from './roi.js';

const features: readonly FeatureDefinition[] = [
  { name: '10Percentile', unit: 'intensity', definition: '10th percentile of the intensities, linear between order statistics' },
  { name: '90Percentile', unit: 'intensity', definition: '90th percentile of the intensities, linear between order statistics' },
  { name: 'Energy', unit: 'intensity^2', definition: 'sum of (x + voxelArrayShift)^2' },
  { name: 'Entropy', unit: 'bits', definition: '-sum p log2(p + eps) of the histogram of grey levels' },
  { name: 'InterquartileRange', unit: 'intensity', definition: '75th minus 25th percentile' },
  { name: 'Kurtosis', unit: '1', definition: "mean (x - mean)^4 / Variance^2, 0 when flat; standard 'ibsi' subtracts 3" },
  { name: 'Maximum', unit: 'intensity', definition: 'greatest intensity' },
  { name: 'Mean', unit: 'intensity', definition: 'mean intensity' },
  { name: 'MeanAbsoluteDeviation', unit: 'intensity', definition: 'mean |x - mean|' },
  { name: 'Median', unit: 'intensity', definition: '50th percentile' },
  { name: 'Minimum', unit: 'intensity', definition: 'least intensity' },
  { name: 'Range', unit: 'intensity', definition: 'Maximum - Minimum' },
  {
    name: 'RobustMeanAbsoluteDeviation',
    unit: 'intensity',
    definition: 'mean |x - m| of the intensities from the 10th to the 90th percentile, m their mean; NaN where there are none',
  },
  { name: 'RootMeanSquared', unit: 'intensity', definition: 'sqrt(mean (x + voxelArrayShift)^2)' },
  { name: 'Skewness', unit: '1', definition: 'mean (x - mean)^3 / Variance^1.5, 0 when flat' },
  { name: 'StandardDeviation', unit: 'intensity', definition: 'sqrt(Variance)', deprecated: true },
  { name: 'TotalEnergy', unit: 'intensity^2 um^2', definition: 'Energy times the area of a pixel' },
  { name: 'Uniformity', unit: '1', definition: 'sum p^2 of the histogram of grey levels' },
  { name: 'Variance', unit: 'intensity^2', definition: 'mean (x - mean)^2' },
];

interface Params extends RoiInput {
  shift: number;
  pixelArea: number;
  excessKurtosis: boolean;
  out: Float64Array;
}

function percentile(sorted: readonly number[], q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const a = sorted[below] as number;
  const b = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return a + (b - a) * (place - below);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * The sum as numpy adds it up, to the last bit. Where a flat cell's value has no exact multiple, its mean differs from it by a
 * rounding error, and PyRadiomics' skewness and kurtosis are those of that error: +-1 and 1, not 0.
 */
function pairwiseSum(values: readonly number[]): number {
  const n = values.length;
  if (n > 128) {
    const half = Math.floor(n / 2) - (Math.floor(n / 2) % 8);
    return pairwiseSum(values.slice(0, half)) + pairwiseSum(values.slice(half));
  }
  const whole = n - (n % 8);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = Array.from({ length: Math.min(whole, 8) }, (_, k) =>
    values.slice(0, whole).reduce((sum, x, i) => (i % 8 === k ? sum + x : sum), 0),
  );
  return values.slice(whole).reduce((sum, x) => sum + x, a + b + (c + d) + (e + f + (g + h)));
}

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const { values } = roi;
  if (!roi.finite || values.length === 0) return features.map(() => Number.NaN);
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => percentile(sorted, q);
  const minimum = sorted[0] as number;
  const maximum = sorted[sorted.length - 1] as number;
  const centre = pairwiseSum(values) / values.length;
  const moment = (k: number) => mean(values.map((x) => (x - centre) ** k));
  const variance = moment(2);
  const robust = values.filter((x) => x >= at(0.1) && x <= at(0.9));
  const robustMean = mean(robust);
  const energy = values.reduce((sum, x) => sum + (x + p.shift) ** 2, 0);
  const shares = roi.grey.map((grey) => roi.pixels.filter(({ level }) => level === grey).length / values.length);
  const row: Record<string, number> = {
    '10Percentile': at(0.1),
    '90Percentile': at(0.9),
    Energy: energy,
    Entropy: entropy(shares),
    InterquartileRange: at(0.75) - at(0.25),
    Kurtosis: variance === 0 ? 0 : moment(4) / variance ** 2 - (p.excessKurtosis ? 3 : 0),
    Maximum: maximum,
    Mean: centre,
    MeanAbsoluteDeviation: mean(values.map((x) => Math.abs(x - centre))),
    Median: at(0.5),
    Minimum: minimum,
    Range: maximum - minimum,
    RobustMeanAbsoluteDeviation: mean(robust.map((x) => Math.abs(x - robustMean))),
    RootMeanSquared: Math.sqrt(energy / values.length),
    Skewness: variance === 0 ? 0 : moment(3) / variance ** 1.5,
    StandardDeviation: Math.sqrt(variance),
    TotalEnergy: energy * p.pixelArea,
    Uniformity: shares.reduce((sum, share) => sum + share ** 2, 0),
    Variance: variance,
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Statistics of the intensities, and of the histogram of grey levels. */
export const firstorder: TextureClass<Params> = {
  name: 'firstorder',
  source: 'PyRadiomics 3.1 radiomics.firstorder; IBSI 3.3 and 3.4',
  features,
  kernel: hostKernel('firstorder', reference),
  params: (input, settings, spacing, out) => ({
    ...input,
    shift: settings.voxelArrayShift,
    pixelArea: spacing[0] * spacing[1],
    excessKurtosis: settings.standard === 'ibsi',
    out,
  }),
};
