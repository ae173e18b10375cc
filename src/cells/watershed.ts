import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';
import { checkPlane } from './distance_transform.js';

interface WatershedParams {
  height: number;
  width: number;
  depth: number;
  heights: Float32Array;
  mask: Uint8Array;
  labels: Uint32Array;
  total: Float64Array;
}

function watershedReference({ height, width, depth, heights, mask, labels, total }: WatershedParams): void {
  const steps = Array.from(heights, (value) => Math.floor(Math.min(1023, Math.max(0, value || 0)) * 64));
  const order = steps.map((_, i) => i).filter((i) => mask[i] !== 0);
  order.sort((a, b) => (steps[b] as number) - (steps[a] as number) || a - b);
  const regionOf = new Map<number, number>();
  const under: number[] = [];
  const summit: number[] = [];
  const root = (region: number): number => (under[region] === region ? region : root(under[region] as number));
  for (const i of order) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const taken: number[] = [];
    for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
      for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++)
        if (regionOf.has(ny * width + nx)) taken.push(ny * width + nx);
    }
    if (taken.length === 0) {
      regionOf.set(i, under.length);
      under.push(under.length);
      summit.push(steps[i] as number);
      continue;
    }
    const highest = taken.reduce((a, b) => ((steps[b] as number) > (steps[a] as number) ? b : a));
    regionOf.set(i, root(regionOf.get(highest) as number));
    const met = [...new Set(taken.map((n) => root(regionOf.get(n) as number)))];
    const best = met.reduce((a, b) => (((summit[b] as number) - (summit[a] as number) || a - b) > 0 ? b : a));
    for (const region of met) {
      if (region !== best && (summit[region] as number) - (steps[i] as number) < depth * 64) under[region] = best;
    }
  }
  const numbers = new Map<number, number>();
  labels.fill(0);
  for (let i = 0; i < labels.length; i++) {
    const region = regionOf.get(i);
    if (region === undefined) continue;
    const own = root(region);
    if (!numbers.has(own)) numbers.set(own, numbers.size + 1);
    labels[i] = numbers.get(own) as number;
  }
  total[0] = numbers.size;
}

const cut = hostKernel<WatershedParams>('watershed', watershedReference);

/**
 * Cuts a mask into one region per hill: the mask is flooded from the summits downward, and where the floods of two summits meet a
 * border arises, unless one of the summits rises less than `depth` above that place; it then belongs to the other's hill. (Watershed by
 * flooding with markers from the h-maxima, in one pass; heights in steps of 1/64 from 0 to 1023.)
 *
 * @param heights `height * width` values, such as distances to the border
 * @param mask `height * width` values, 0 outside
 * @param depth how far a summit must rise above the pass to a higher one to count; at least 0
 * @returns a label image, regions numbered 1, 2, ... in the order of their first pixels, and the number of regions
 * @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT`
 * @example
 * const heights = Float32Array.of(1, 3, 1, 2, 1);
 * const { mask } = watershed(heights, new Uint8Array(5).fill(1), 5, 1, 0.5);
 * console.log(mask.data); // 1 1 1 2 2
 */
export function watershed(heights: Float32Array, mask: Uint8Array, width: number, height: number, depth: number): Regions {
  const params = prepare('watershed', heights, mask, width, height, depth);
  cut(params);
  return finish(params);
}

/**
 * As `watershed`, on a background thread.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `watershed`
 * @example
 * const { count } = await watershedAsync(Float32Array.of(1, 3, 1, 2, 1), new Uint8Array(5).fill(1), 5, 1, 0.5); // 2
 */
export async function watershedAsync(
  heights: Float32Array,
  mask: Uint8Array,
  width: number,
  height: number,
  depth: number,
  call: AsyncOptions = {},
): Promise<Regions> {
  const params = prepare('watershedAsync', heights, mask, width, height, depth);
  await cut.async(params, call);
  return finish(params);
}

interface Regions {
  mask: LabelMask;
  count: number;
}

function prepare(where: string, heights: Float32Array, mask: Uint8Array, width: number, height: number, depth: number): WatershedParams {
  checkPlane(where, heights, width, height);
  checkPlane(where, mask, width, height);
  if (!(depth >= 0)) throw new UamError('UAM_ARGUMENT', `${where}: depth must be at least 0, received ${depth}`);
  return { height, width, depth, heights, mask, labels: new Uint32Array(mask.length), total: new Float64Array(1) };
}

const finish = ({ width, height, labels, total }: WatershedParams): Regions => ({
  mask: { width, height, data: labels },
  count: total[0] as number,
});
