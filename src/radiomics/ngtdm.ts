import { hostKernel } from '../native/call.js';
import { type FeatureDefinition, type TextureClass, writeMatrix } from './feature_class.js';
import { gatherRoi, type Roi, type RoiInput, steps } from './roi.js';

// n is the number of pixels of a level, p = n / N its share, s the sum of |level - mean level of the neighbours| over them.
const features: readonly FeatureDefinition[] = [
  { name: 'Busyness', unit: '1', definition: 'sum p_i s_i / sum |i p_i - j p_j| over pairs of grey levels; 0 with one level' },
  { name: 'Coarseness', unit: '1', definition: '1 / sum p_i s_i; 1e6 where that sum is 0' },
  { name: 'Complexity', unit: '1', definition: 'sum |i - j| (p_i s_i + p_j s_j) / (p_i + p_j) over pairs of grey levels, / pixels' },
  {
    name: 'Contrast',
    unit: '1',
    definition: 'sum p_i p_j (i - j)^2 / (levels (levels - 1)) times sum s_i / pixels; 0 with one grey level',
  },
  { name: 'Strength', unit: '1', definition: 'sum (p_i + p_j) (i - j)^2 / sum s_i; 0 where sum s_i is 0' },
];

interface Params extends RoiInput {
  distanceCount: number;
  /** `[distanceCount]` */
  distances: Int32Array;
  /** IBSI: pixels without neighbours do not count. PyRadiomics counts them, with difference 0. */
  skipIsolated: boolean;
  out: Float64Array;
}

interface Tone {
  level: number;
  n: number;
  s: number;
}

function tones(roi: Roi, around: readonly { dy: number; dx: number }[], skipIsolated: boolean): Tone[] {
  const found = new Map(roi.grey.map((level): [number, Tone] => [level, { level, n: 0, s: 0 }]));
  for (const { x, y, level } of roi.pixels) {
    const neighbors = around
      .flatMap(({ dy, dx }) => [roi.levelAt(x + dx, y + dy), roi.levelAt(x - dx, y - dy)])
      .filter((neighbor) => neighbor > 0);
    if (neighbors.length === 0 && skipIsolated) continue;
    const tone = found.get(level) as Tone;
    tone.n++;
    if (neighbors.length > 0) tone.s += Math.abs(level - neighbors.reduce((a, b) => a + b) / neighbors.length);
  }
  return [...found.values()].filter(({ n }) => n > 0);
}

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const around = steps(p.distances, roi);
  const list = around.length > 0 ? tones(roi, around, p.skipIsolated) : [];
  if (r === 0) {
    writeMatrix(
      p.matrix,
      list.map(({ level, n, s }) => [n, s, level, 0]),
    );
  }
  if (list.length === 0) return features.map(() => Number.NaN);

  const pixels = list.reduce((sum, { n }) => sum + n, 0);
  const share = ({ n }: Tone) => n / pixels;
  const sum = (term: (i: Tone) => number) => list.reduce((total, i) => total + term(i), 0);
  const pairs = (term: (i: Tone, j: Tone) => number) => sum((i) => sum((j) => term(i, j)));
  const weighted = sum((i) => share(i) * i.s);
  const differences = sum(({ s }) => s);
  const spread = pairs((i, j) => Math.abs(i.level * share(i) - j.level * share(j)));
  const row: Record<string, number> = {
    Busyness: spread === 0 ? 0 : weighted / spread,
    Coarseness: weighted === 0 ? 1e6 : 1 / weighted,
    Complexity: pairs((i, j) => (Math.abs(i.level - j.level) * (share(i) * i.s + share(j) * j.s)) / (share(i) + share(j))) / pixels,
    Contrast:
      list.length === 1
        ? 0
        : (pairs((i, j) => share(i) * share(j) * (i.level - j.level) ** 2) / (list.length * (list.length - 1))) * (differences / pixels),
    Strength: differences === 0 ? 0 : pairs((i, j) => (share(i) + share(j)) * (i.level - j.level) ** 2) / differences,
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Differences between a pixel's grey level and the mean of its neighbours'. */
export const ngtdm: TextureClass<Params> = {
  name: 'ngtdm',
  source: 'PyRadiomics 3.1 radiomics.ngtdm; IBSI 3.10',
  features,
  kernel: hostKernel('ngtdm', reference),
  params: (input, settings, _spacing, out) => ({
    ...input,
    distanceCount: settings.distances.length,
    distances: Int32Array.from(settings.distances),
    skipIsolated: settings.standard === 'ibsi',
    out,
  }),
};
