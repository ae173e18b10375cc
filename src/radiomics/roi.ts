// Regions of interest: the parameters that every radiomics kernel takes, and the plain definition of what a kernel gathers from
// them. native/roi.h is its fast twin.
import type { Cells } from '../cells/cells.js';
import { mismatch } from '../errors.js';
import type { LabelMask, Plane } from '../image/image.js';
import type { Settings } from './settings.js';

/** Where the regions are: region r is the pixels of box r whose label is `ids[r]`. */
export interface RoiMask {
  height: number;
  width: number;
  rois: number;
  /** `[height, width]` */
  labels: Uint32Array;
  /** `[rois]` */
  ids: Uint32Array;
  /** `[rois, 4]`: x0, y0, x1, y1 */
  boxes: Int32Array;
}

/** One channel (exactly one of the four arrays) and how its values become grey levels. */
export interface RoiInput extends RoiMask {
  u8?: Uint8Array | undefined;
  u16?: Uint16Array | undefined;
  f32?: Float32Array | undefined;
  f64?: Float64Array | undefined;
  binWidth: number;
  /** 0: `binWidth` decides. */
  binCount: number;
  binsFromMinimum: boolean;
  /** 0 none, 1 absolute, 2 relative, 3 sigma */
  resegment: number;
  low: number;
  high: number;
  /** For tests: see `rawMatrix`. */
  matrixSize: number;
  matrix?: Float64Array | undefined;
}

const RESEGMENT = ['none', 'absolute', 'relative', 'sigma'];

/** The regions `[from, to)` of a list of cells. */
export function roiMask(mask: LabelMask, cells: Cells, from = 0, to = cells.count): RoiMask {
  return {
    height: mask.height,
    width: mask.width,
    rois: to - from,
    labels: mask.data,
    ids: cells.ids.subarray(from, to),
    boxes: cells.boxes.subarray(4 * from, 4 * to),
  };
}

/** The input of a texture kernel. */
export function roiInput(regions: RoiMask, plane: Plane, settings: Settings): RoiInput {
  if (plane.length !== regions.height * regions.width) {
    throw mismatch('UAM_SHAPE', 'a channel', `${regions.height} x ${regions.width} values`, `${plane.length}`);
  }
  const [low = 0, high = Infinity] = settings.resegmentRange ?? [];
  return {
    ...regions,
    ...planeField(plane),
    binWidth: settings.binWidth,
    binCount: settings.binCount ?? 0,
    binsFromMinimum: settings.standard === 'ibsi',
    resegment: settings.resegmentRange ? RESEGMENT.indexOf(settings.resegmentMode) : 0,
    low,
    high,
    matrixSize: 0,
  };
}

function planeField(plane: Plane): Pick<RoiInput, 'u8' | 'u16' | 'f32' | 'f64'> {
  if (plane instanceof Uint8Array) return { u8: plane };
  if (plane instanceof Uint16Array) return { u16: plane };
  return plane instanceof Float32Array ? { f32: plane } : { f64: plane };
}

/** One gathered region, as the definitions of the features read it. */
export interface Roi {
  /** Intensities in rows. */
  values: number[];
  finite: boolean;
  /** Size of the box of the pixels. */
  boxWidth: number;
  boxHeight: number;
  /** Coordinates of the pixels, and each one's grey level: 1 for the lowest bin. */
  pixels: { x: number; y: number; level: number }[];
  /** The grey levels that are present, rising. */
  grey: number[];
  /** Grey level at a place, 0 outside the region. */
  levelAt(x: number, y: number): number;
}

/** Edges as numpy.arange or numpy.histogram gives them; a value's level is the number of edges at or below it. */
function levelOf(input: RoiInput, minimum: number, maximum: number): (x: number) => number {
  if (input.binCount > 0) {
    const [low, high] = minimum === maximum ? [minimum - 0.5, maximum + 0.5] : [minimum, maximum];
    const step = (high - low) / input.binCount;
    const edge = (i: number) => (i === input.binCount ? high + 1 : i * step + low);
    return (x) => edgesBelow(x, edge, (x - low) / step, input.binCount);
  }
  const start = input.binsFromMinimum ? minimum : minimum - floorMod(minimum, input.binWidth);
  const step = start + input.binWidth - start;
  return (x) => edgesBelow(x, (i) => start + i * step, (x - start) / step, Infinity);
}

function edgesBelow(x: number, edge: (i: number) => number, guess: number, last: number): number {
  if (Number.isNaN(guess)) return 1; // bins finer than doubles
  let level = Math.min(Math.max(Math.floor(guess), 0), last);
  if (level >= 4e15) return level + 1;
  while (level !== last && x >= edge(level + 1)) level++;
  while (level > 0 && x < edge(level)) level--;
  return level + 1;
}

const floorMod = (x: number, y: number): number => {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
};

/** Gathers region `r` of a kernel's input. */
export function gatherRoi(input: RoiInput, r: number): Roi {
  const plane = input.u8 ?? input.u16 ?? input.f32 ?? input.f64;
  if (!plane) throw mismatch('UAM_ARGUMENT', 'a channel', 'one of u8, u16, f32 and f64', 'none');
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = input.boxes.subarray(4 * r, 4 * r + 4);
  let found: { x: number; y: number; value: number }[] = [];
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const at = y * input.width + x;
      if (input.labels[at] === input.ids[r]) found.push({ x, y, value: plane[at] as number });
    }
  }
  const finite = found.every(({ value }) => Number.isFinite(value));
  if (finite && found.length > 0) found = resegmented(input, found);
  const values = found.map(({ value }) => value);
  const empty: Roi = { values, finite, boxWidth: 0, boxHeight: 0, pixels: [], grey: [], levelAt: () => 0 };
  if (!finite || found.length === 0) return empty;

  const least = (list: number[]) => list.reduce((a, b) => Math.min(a, b));
  const greatest = (list: number[]) => list.reduce((a, b) => Math.max(a, b));
  const level = levelOf(input, least(values), greatest(values));
  const pixels = found.map(({ x, y, value }) => ({ x, y, level: level(value) }));
  const image = new Map(pixels.map((pixel) => [pixel.y * input.width + pixel.x, pixel.level]));
  const inRow = (x: number) => x >= 0 && x < input.width;
  return {
    values,
    finite,
    boxWidth: greatest(pixels.map(({ x }) => x)) - least(pixels.map(({ x }) => x)) + 1,
    boxHeight: greatest(pixels.map(({ y }) => y)) - least(pixels.map(({ y }) => y)) + 1,
    pixels,
    grey: [...new Set(pixels.map((pixel) => pixel.level))].sort((a, b) => a - b),
    levelAt: (x, y) => (inRow(x) ? (image.get(y * input.width + x) ?? 0) : 0),
  };
}

function resegmented<T extends { value: number }>(input: RoiInput, pixels: T[]): T[] {
  let { low, high } = input;
  const values = pixels.map(({ value }) => value);
  if (input.resegment === 0) return pixels;
  const limits = (shift: number, unit: number) => {
    // a range without an end stays so, whatever the unit
    low = Number.isFinite(low) ? shift + low * unit : low;
    high = Number.isFinite(high) ? shift + high * unit : high;
  };
  if (input.resegment === 2) {
    limits(
      0,
      values.reduce((a, b) => Math.max(a, b)),
    );
  } else if (input.resegment === 3) {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    limits(mean, deviation);
  }
  return pixels.filter(({ value }) => value >= low && value <= high);
}

/** Steps to one half of the neighbours at the distances (infinity norm), as far as the region's box reaches. */
export function steps(distances: Iterable<number>, roi: Roi): { dy: number; dx: number }[] {
  const list: { dy: number; dx: number }[] = [];
  for (const d of distances) {
    if (d > Math.max(roi.boxWidth, roi.boxHeight) - 1) continue;
    for (let dy = 0; dy <= Math.min(d, roi.boxHeight - 1); dy++) {
      const reach = Math.min(d, roi.boxWidth - 1);
      for (let dx = -reach; dx <= reach; dx++) {
        if (Math.max(dy, Math.abs(dx)) === d && (dy > 0 || dx > 0)) list.push({ dy, dx });
      }
    }
  }
  return list;
}

/** What PyRadiomics adds inside every logarithm. */
export const EPSILON = Number.EPSILON;

/** `-sum p log2(p + eps)` */
export function entropy(probabilities: Iterable<number>): number {
  let sum = 0;
  for (const p of probabilities) sum -= p * Math.log2(p + EPSILON);
  return sum;
}

/** The mean of what is not NaN; NaN of nothing. */
export function nanMean(values: readonly number[]): number {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}
