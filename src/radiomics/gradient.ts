import { hostKernel } from '../native/call.js';
import type { FeatureDefinition, TextureClass } from './feature_class.js';
import { entropy, gatherRoi, type RoiInput } from './roi.js';

const BINS = 10;
const BLUR_REACH = 4;
const EDGE_LOW = 0.05;
const EDGE_HIGH = 0.1;
const EDGE_TIE = 1 - 1e-9;

const magnitude =
  "the magnitude of the gradient at the cell's pixels (half the difference of the two neighbours along each axis, per unit of " +
  'length; the image goes on beyond its border as its outermost pixels; NaN where a neighbour is not finite)';

const features: readonly FeatureDefinition[] = [
  {
    name: 'CannyMean',
    unit: '1',
    definition: "CannySum / the cell's pixels",
  },
  {
    name: 'CannySum',
    unit: 'px',
    definition:
      "the cell's pixels on an edge by Canny: the image smoothed by a Gaussian of 1 pixel; a pixel at least as steep as its two " +
      'neighbours along the gradient (to the nearest eighth of a turn) is an edge where the smoothed image changes by 10% of the ' +
      "cell's range of intensities per pixel, or by 5% and it is joined within the cell's box to one of 10%; 0 in a flat cell, NaN " +
      'where a pixel within 6 of the box is not finite',
  },
  {
    name: 'MagHistEnergy',
    unit: '1',
    definition: `sum p^2 of the histogram of ${BINS} equal bins from the least to the greatest magnitude`,
  },
  { name: 'MagHistEntropy', unit: 'bits', definition: '-sum p log2(p + eps) of the same histogram' },
  {
    name: 'MagKurtosis',
    unit: '1',
    definition: "mean (m - mean)^4 / variance^2, 0 when flat; standard 'ibsi' subtracts 3, as HistomicsTK does",
  },
  { name: 'MagMean', unit: 'intensity/um', definition: `mean of m, ${magnitude}` },
  { name: 'MagSkewness', unit: '1', definition: 'mean (m - mean)^3 / variance^1.5, 0 when flat' },
  { name: 'MagStd', unit: 'intensity/um', definition: 'sqrt(mean (m - mean)^2)' },
];

interface Params extends RoiInput {
  spacingX: number;
  spacingY: number;
  excessKurtosis: boolean;
  out: Float64Array;
}

type Field = (x: number, y: number) => number;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The channel, which goes on beyond its border as its outermost pixels. */
function channelOf(p: Params): Field {
  const plane = p.u8 ?? p.u16 ?? p.f32 ?? p.f64 ?? new Float64Array(0);
  const clamp = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
  return (x, y) => plane[clamp(y, p.height) * p.width + clamp(x, p.width)] as number;
}

/** Each place is computed once. */
function remembered(field: Field): Field {
  const known = new Map<string, number>();
  return (x, y) => {
    const key = `${x},${y}`;
    const value = known.get(key) ?? field(x, y);
    known.set(key, value);
    return value;
  };
}

const difference = (field: Field, x: number, y: number) => ({
  dx: (field(x + 1, y) - field(x - 1, y)) / 2,
  dy: (field(x, y + 1) - field(x, y - 1)) / 2,
});

function describeMagnitude(p: Params, values: readonly number[]): Record<string, number> {
  if (!values.every(Number.isFinite)) return {};
  const low = Math.min(...values);
  const high = Math.max(...values);
  const centre = low === high ? low : mean(values);
  const moment = (k: number) => mean(values.map((value) => (value - centre) ** k));
  const variance = moment(2);
  const binOf = (value: number) => (low === high ? 0 : Math.min(Math.floor(((value - low) / (high - low)) * BINS), BINS - 1));
  const shares = Array.from({ length: BINS }, (_, bin) => values.filter((value) => binOf(value) === bin).length / values.length);
  return {
    MagHistEnergy: shares.reduce((sum, share) => sum + share ** 2, 0),
    MagHistEntropy: entropy(shares.filter((share) => share > 0)),
    MagKurtosis: variance === 0 ? 0 : moment(4) / variance ** 2 - (p.excessKurtosis ? 3 : 0),
    MagMean: centre,
    MagSkewness: variance === 0 ? 0 : moment(3) / variance ** 1.5,
    MagStd: Math.sqrt(variance),
  };
}

function blurred(field: Field): Field {
  const weights = Array.from({ length: BLUR_REACH + 1 }, (_, k) => Math.exp(-(k ** 2) / 2));
  const total = weights.reduce((sum, weight, k) => sum + (k > 0 ? 2 : 1) * weight, 0);
  const along = (at: (k: number) => number) =>
    weights.reduce((sum, weight, k) => sum + (weight / total) * (k > 0 ? at(k) + at(-k) : at(0)), 0);
  const rows = remembered((x, y) => along((k) => field(x + k, y)));
  return remembered((x, y) => along((k) => rows(x, y + k)));
}

/** The neighbour along the gradient, to the nearest eighth of a turn. */
function steepestStep({ dx, dy }: { dx: number; dy: number }): readonly [number, number] {
  const tangent = Math.SQRT2 - 1;
  if (Math.abs(dy) <= tangent * Math.abs(dx)) return [1, 0];
  if (Math.abs(dx) <= tangent * Math.abs(dy)) return [0, 1];
  return dx > 0 === dy > 0 ? [1, 1] : [-1, 1];
}

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Canny's edges in a box, as keys `x,y`. */
function cannyEdges(channel: Field, { left, top, right, bottom }: Box, range: number): Set<string> {
  const smooth = blurred(channel);
  const steepness = remembered((x, y) => {
    const { dx, dy } = difference(smooth, x, y);
    return Math.sqrt(dx * dx + dy * dy);
  });
  const crests = new Map<string, { x: number; y: number; strong: boolean }>();
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const m = steepness(x, y);
      const [sx, sy] = steepestStep(difference(smooth, x, y));
      const crest = [steepness(x + sx, y + sy), steepness(x - sx, y - sy)].every((other) => m >= other * EDGE_TIE);
      if (m > 0 && crest && m >= EDGE_LOW * range) crests.set(`${x},${y}`, { x, y, strong: m >= EDGE_HIGH * range });
    }
  }
  const waiting = [...crests.values()].filter(({ strong }) => strong);
  const edges = new Set(waiting.map(({ x, y }) => `${x},${y}`));
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    for (const [dx, dy] of [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dx, dy] as const))) {
      const next = crests.get(`${at.x + dx},${at.y + dy}`);
      if (!next || edges.has(`${next.x},${next.y}`)) continue;
      edges.add(`${next.x},${next.y}`);
      waiting.push(next);
    }
  }
  return edges;
}

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  if (!roi.finite || roi.values.length === 0) return features.map(() => Number.NaN);
  const channel = channelOf(p);
  const row: Record<string, number> = describeMagnitude(
    p,
    roi.pixels.map(({ x, y }) => {
      const { dx, dy } = difference(channel, x, y);
      return Math.hypot(dx / p.spacingX, dy / p.spacingY);
    }),
  );
  const [xs, ys] = [roi.pixels.map(({ x }) => x), roi.pixels.map(({ y }) => y)];
  const box = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs) + 1, bottom: Math.max(...ys) + 1 };
  let finite = true;
  for (let y = box.top - 6; y < box.bottom + 6; y++) {
    for (let x = box.left - 6; x < box.right + 6; x++) finite &&= Number.isFinite(channel(x, y));
  }
  if (finite) {
    const range = Math.max(...roi.values) - Math.min(...roi.values);
    const edges = range > 0 ? cannyEdges(channel, box, range) : new Set<string>();
    row.CannySum = roi.pixels.filter(({ x, y }) => edges.has(`${x},${y}`)).length;
    row.CannyMean = row.CannySum / roi.pixels.length;
  }
  return features.map(({ name }) => row[name] ?? Number.NaN);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** How steeply the channel changes at the cell's pixels. */
export const gradient: TextureClass<Params> = {
  name: 'gradient',
  source: 'HistomicsTK compute_gradient_features (Gradient.Mag, Gradient.Canny): definitions as stated',
  features,
  kernel: hostKernel('cell_gradient', reference),
  params: (input, settings, [spacingX, spacingY], out) => ({
    ...input,
    spacingX,
    spacingY,
    excessKurtosis: settings.standard === 'ibsi',
    out,
  }),
};
