// Images and label masks at another pixel size, whole or part by part.
import { setImmediate as turn } from 'node:timers/promises';
import { UamError } from '../errors.js';
import { argumentError, DEFAULT_MAX_PIXELS, refuseAborted, refuseHuge, withinMemory } from './failure.js';
import type { LabelMask, Plane, RasterImage } from './image.js';
import type { Region } from './tiff_read.js';

/** Old pixels per new one, along x and y: above 1 shrinks, below 1 enlarges. */
export type Factors = readonly [x: number, y: number];

/** What each new pixel takes of the old ones along one axis: `weights` of its `counts` pixels from `starts` on, `most` apart. */
interface Taps {
  length: number;
  most: number;
  starts: Int32Array;
  counts: Int32Array;
  weights: Float64Array;
}

/** How long the event loop may be held before others get a turn, in milliseconds. */
const SLICE = 10;

/** Less than this share of a pixel is an error of rounding. */
const SLIVER = 1e-9;

/** Pixels of a side at another pixel size: at most half a new pixel is lost or added at the far edge. */
export const resampledLength = (length: number, factor: number): number =>
  length === 0 ? 0 : Math.max(1, Math.floor(length / factor + 0.5));

/** The old pixels, with weights, that make up new pixel i: those that it covers, or the two about its centre. */
function sharesOf(i: number, length: number, factor: number): [start: number, weights: number[]] {
  if (factor < 1) {
    const at = Math.min(Math.max((i + 0.5) * factor - 0.5, 0), length - 1);
    const rest = at - Math.floor(at);
    return [Math.floor(at), rest < SLIVER ? [1] : [1 - rest, rest]];
  }
  const from = i * factor;
  const to = Math.min(from + factor, length);
  const first = Math.min(Math.floor(from + SLIVER), length - 1);
  const weights: number[] = [];
  for (let at = first; at < to - SLIVER; at++) weights.push((Math.min(at + 1, to) - Math.max(at, from)) / (to - from));
  return [first, weights];
}

/**
 * @param first the new pixel to begin with, and `count`, how many: a part of the axis has the taps that the whole has there
 * @param from the old pixel that `starts` count from
 */
function tapsOf(length: number, factor: number, first = 0, count = resampledLength(length, factor), from = 0): Taps {
  const most = factor < 1 ? 2 : Math.ceil(factor) + 1;
  const taps = {
    length: count,
    most,
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Float64Array(count * most),
  };
  for (let i = 0; i < count; i++) {
    const [start, weights] = sharesOf(first + i, length, factor);
    taps.starts[i] = start - from;
    taps.counts[i] = weights.length;
    taps.weights.set(weights, i * most);
  }
  return taps;
}

function checkFactors(factors: Factors): void {
  if (factors.every((factor) => factor > 0 && factor < 1e6)) return;
  throw argumentError(`resampling factors must be two numbers above 0 (x, y), received ${factors.join(', ')}`);
}

/** Lets others have their turn every few milliseconds. */
class Turns {
  #since = performance.now();

  constructor(
    private readonly name: string,
    private readonly signal: AbortSignal | undefined,
  ) {
    refuseAborted(name, signal);
  }

  get due(): boolean {
    return performance.now() - this.#since >= SLICE;
  }

  async take(): Promise<void> {
    await turn();
    this.#since = performance.now();
    refuseAborted(this.name, this.signal);
  }
}

/** An array of the same kind of numbers. */
const alike = (data: Plane, length: number): Plane => new (data.constructor as new (length: number) => Plane)(length);

/**
 * An image at another pixel size: along an axis that shrinks, a new pixel is the mean of the area that it covers; along one that grows,
 * it is interpolated between the two pixels about its centre. Values keep their kind: whole numbers are rounded.
 *
 * @param factors old pixels per new one
 * @throws UamError `UAM_ARGUMENT`; `UAM_DATA` where the result is too large to be held; `UAM_ABORTED`
 */
export async function resampleImage(image: RasterImage, factors: Factors, signal?: AbortSignal): Promise<RasterImage> {
  checkFactors(factors);
  return mixed(image, tapsOf(image.width, factors[0]), tapsOf(image.height, factors[1]), factors, signal);
}

/** The old pixels that the new ones `[first, first + count)` of an axis are made of. */
function oldRange(first: number, count: number, length: number, factor: number): [from: number, to: number] {
  const [last, weights] = sharesOf(first + count - 1, length, factor);
  return [sharesOf(first, length, factor)[0], last + weights.length];
}

/** An image that is read and resampled part by part. */
export interface ResampledField {
  /** Old pixels of the whole image. */
  width: number;
  height: number;
  /** Old pixels per new one. */
  factors: Factors;
}

/**
 * The old pixels that a part of the resampled image is made of.
 *
 * @param part in new pixels, inside the resampled image
 */
export function resampledFrom(part: Region, { width, height, factors }: ResampledField): Region {
  checkFactors(factors);
  const [left, right] = oldRange(part.x, part.width, width, factors[0]);
  const [top, bottom] = oldRange(part.y, part.height, height, factors[1]);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * A part of what `resampleImage` makes of the whole image, to the bit, from the old pixels of that part alone.
 *
 * @param image the pixels of `resampledFrom(part, field)`
 * @param part in new pixels, inside the resampled image
 * @throws UamError as `resampleImage`; `UAM_SHAPE` where the image is another part
 */
export async function resamplePart(image: RasterImage, part: Region, field: ResampledField, signal?: AbortSignal): Promise<RasterImage> {
  const { factors, width, height } = field;
  const from = resampledFrom(part, field);
  if (image.width !== from.width || image.height !== from.height) {
    throw new UamError(
      'UAM_SHAPE',
      `resamplePart: the image must be the ${from.width} x ${from.height} pixels of its part, received ${image.width} x ${image.height}`,
    );
  }
  const across = tapsOf(width, factors[0], part.x, part.width, from.x);
  const down = tapsOf(height, factors[1], part.y, part.height, from.y);
  return mixed(image, across, down, factors, signal);
}

async function mixed(image: RasterImage, across: Taps, down: Taps, factors: Factors, signal?: AbortSignal): Promise<RasterImage> {
  const { channels, data, mpp, name = 'the image' } = image;
  const [width, height] = [across.length, down.length];
  refuseHuge(name, width, height, DEFAULT_MAX_PIXELS);
  const out = await withinMemory(name, async () => alike(data, width * height * channels));
  const rowLength = image.width * channels;
  const row = new Float64Array(rowLength); // one row of the result, still with the old columns
  const whole = !(data instanceof Float32Array || data instanceof Float64Array);
  const turns = new Turns(name, signal);
  for (let y = 0; y < height; y++) {
    row.fill(0);
    for (let k = 0; k < (down.counts[y] as number); k++) {
      addRow(row, data, ((down.starts[y] as number) + k) * rowLength, down.weights[y * down.most + k] as number);
      if (turns.due) await turns.take();
    }
    mixColumns(row, across, channels, out, y * width * channels, whole);
    if (turns.due) await turns.take();
  }
  return { ...image, width, height, data: out, mpp: mpp && [mpp[0] * factors[0], mpp[1] * factors[1]] };
}

function addRow(row: Float64Array, data: Plane, from: number, weight: number): void {
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + weight * (data[from + i] as number);
}

function mixColumns(row: Float64Array, across: Taps, channels: number, out: Plane, from: number, whole: boolean): void {
  const { length, most, starts, counts, weights } = across;
  let at = from;
  for (let x = 0; x < length; x++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      let place = (starts[x] as number) * channels + c;
      for (let k = x * most; k < x * most + (counts[x] as number); k++, place += channels) {
        sum += (weights[k] as number) * (row[place] as number);
      }
      out[at++] = whole ? Math.floor(sum + 0.5) : sum;
    }
  }
}

/** The old pixel under the centre of new pixel i. */
const centre = (i: number, length: number, factor: number) => Math.min(Math.floor((i + 0.5) * factor), length - 1);

/** The old pixels of a label mask that a part of the resampled mask shows. */
export function resampledMaskFrom(part: Region, { width, height, factors }: ResampledField): Region {
  checkFactors(factors);
  const [x, y] = [centre(part.x, width, factors[0]), centre(part.y, height, factors[1])];
  const [right, bottom] = [
    centre(part.x + part.width - 1, width, factors[0]) + 1,
    centre(part.y + part.height - 1, height, factors[1]) + 1,
  ];
  return { x, y, width: right - x, height: bottom - y };
}

/** A part of what `resampleMask` makes of the whole mask, from the labels of `resampledMaskFrom(part, field)`. */
export function resampleMaskPart(labels: Uint32Array, part: Region, field: ResampledField): Uint32Array {
  const from = resampledMaskFrom(part, field);
  const data = new Uint32Array(part.width * part.height);
  const columns = Int32Array.from({ length: part.width }, (_, x) => centre(part.x + x, field.width, field.factors[0]) - from.x);
  for (let y = 0, at = 0; y < part.height; y++) {
    const row = (centre(part.y + y, field.height, field.factors[1]) - from.y) * from.width;
    for (let x = 0; x < part.width; x++) data[at++] = labels[row + (columns[x] as number)] as number;
  }
  return data;
}

/**
 * A label mask at another pixel size: a new pixel has the id of the old one under its centre. Cells that no centre hits are gone.
 *
 * @param factors old pixels per new one
 * @throws UamError as `resampleImage`
 */
export async function resampleMask(mask: LabelMask, factors: Factors, signal?: AbortSignal): Promise<LabelMask> {
  checkFactors(factors);
  const name = mask.name ?? 'the mask';
  const [width, height] = [resampledLength(mask.width, factors[0]), resampledLength(mask.height, factors[1])];
  refuseHuge(name, width, height, DEFAULT_MAX_PIXELS);
  const data = await withinMemory(name, async () => new Uint32Array(width * height));
  const columns = Int32Array.from({ length: width }, (_, x) => centre(x, mask.width, factors[0]));
  const turns = new Turns(name, signal);
  for (let y = 0, at = 0; y < height; y++) {
    const from = centre(y, mask.height, factors[1]) * mask.width;
    for (let x = 0; x < width; x++) data[at++] = mask.data[from + (columns[x] as number)] as number;
    if (turns.due) await turns.take();
  }
  return { ...mask, width, height, data };
}
