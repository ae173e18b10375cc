import { distanceTransformAsync } from '../cells/distance_transform.js';
import { mismatch } from '../errors.js';
import type { RegionCounts } from '../report/region_report.js';
import { UNKNOWN_REGION } from './joint_dataset.js';
import { Pace } from './pace.js';

/** How regions are scored where nobody says otherwise: called inside from this probability on, boundaries matched within 4 um. */
export const REGION_SCORING = Object.freeze({ threshold: 0.5, tolerance: 4 });

export interface RegionCountOptions {
  width: number;
  height: number;
  /** Micrometres per pixel. */
  mpp: number;
  /** Kinds of regions, whose values alternate; default 1. */
  kinds?: number | undefined;
  /** Inside is what has at least this probability, above 0 to 1; default 0.5. */
  threshold?: number | undefined;
  /** How far from each other boundaries may lie and still match, in micrometres; default 4. */
  tolerance?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** A plane of what is known: 1 inside, 0 outside; 255 where the truth is not known, for prediction and truth alike. */
type Plane = Uint8Array;

interface Size {
  width: number;
  height: number;
}

/** Pixels between two looks at the clock. */
const PIECE = 1 << 16;

/** The called and the true region of one kind, and its pixels counted. */
async function planesOf(
  called: Float32Array | Uint8Array,
  truth: Uint8Array,
  { kinds, kind, threshold }: { kinds: number; kind: number; threshold: number },
  pace: Pace,
) {
  const pixels = truth.length / kinds;
  const planes: [called: Plane, truth: Plane] = [new Uint8Array(pixels), new Uint8Array(pixels)];
  const counts = { tp: 0, fp: 0, fn: 0, tn: 0, unknown: 0 };
  const isMask = called instanceof Uint8Array;
  const least = Math.fround(threshold); // 0.7 is less in float32 than in float64, and would not reach itself
  for (let at = 0, from = kind; at < pixels; at++, from += kinds) {
    if (at % PIECE === 0) await pace.rest();
    const value = called[from] as number;
    const own = truth[from] as number;
    if (!isMask && !(value >= 0 && value <= 1 + 1e-6)) {
      throw mismatch('UAM_DATA', `regionCounts: probability ${from}`, 'from 0 to 1', String(value), 'give the sigmoid of logits');
    }
    if (own > 1 && own !== UNKNOWN_REGION) {
      throw mismatch('UAM_DATA', `regionCounts: truth ${from}`, '0, 1, or 255 (not known)', String(own));
    }
    const inside = isMask ? value > 0 : value >= least;
    planes[0][at] = own === UNKNOWN_REGION ? UNKNOWN_REGION : inside ? 1 : 0;
    planes[1][at] = own;
    if (own === UNKNOWN_REGION) counts.unknown++;
    else if (own === 1) counts[inside ? 'tp' : 'fn']++;
    else counts[inside ? 'fp' : 'tn']++;
  }
  return { planes, counts };
}

/** Pixels inside with one outside above, below, left or right of them: 0, all others 1, as the distance transform wants them. */
async function awayFromEdge(plane: Plane, { width, height }: Size, pace: Pace): Promise<{ away: Uint8Array; edge: number }> {
  const away = new Uint8Array(plane.length).fill(1);
  let edge = 0;
  for (let y = 0, at = 0; y < height; y++) {
    if (y % 64 === 0) await pace.rest();
    for (let x = 0; x < width; x++, at++) {
      if (plane[at] !== 1) continue;
      const outside =
        (x > 0 && plane[at - 1] === 0) ||
        (x < width - 1 && plane[at + 1] === 0) ||
        (y > 0 && plane[at - width] === 0) ||
        (y < height - 1 && plane[at + width] === 0);
      if (!outside) continue;
      away[at] = 0;
      edge++;
    }
  }
  return { away, edge };
}

async function edgesOf(planes: readonly [Plane, Plane], size: Size, reach: number, signal: AbortSignal | undefined, pace: Pace) {
  const [called, truth] = [await awayFromEdge(planes[0], size, pace), await awayFromEdge(planes[1], size, pace)];
  const counts = { calledEdge: called.edge, calledNear: 0, trueEdge: truth.edge, trueNear: 0 };
  if (called.edge === 0 || truth.edge === 0) return counts;
  const near = async (from: Uint8Array, to: Uint8Array) => {
    const distance = await distanceTransformAsync(to, size.width, size.height, signal ? { signal } : {});
    let count = 0;
    for (let at = 0; at < from.length; at++) {
      if (at % PIECE === 0) await pace.rest();
      if (from[at] === 0 && (distance[at] as number) <= reach) count++;
    }
    return count;
  };
  counts.calledNear = await near(called.away, truth.away);
  counts.trueNear = await near(truth.away, called.away);
  return counts;
}

/**
 * Counts how a called region and the true one lie to each other, for `scoreRegions`: these few numbers are all that an image leaves
 * behind, so that any number of images can be scored.
 *
 * The boundary of a region are its pixels with a pixel outside it above, below, left or right, both of known truth; the border of the
 * image is no boundary. A boundary pixel is matched where one of the other region lies within the tolerance, centre to centre, by the
 * exact Euclidean distance (after Csurka et al., What is a good evaluation measure for semantic segmentation?, BMVC 2013).
 *
 * @param called `[height, width, kinds]`: probabilities (Float32Array), or a mask (Uint8Array: 0 outside, anything else inside)
 * @param truth `[height, width, kinds]`: 1 inside, 0 outside, 255 where nobody said: such pixels count for nothing
 * @returns counts of each kind of region
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`; `UAM_DATA` for values that are no probabilities or no truth; `UAM_ABORTED`
 * @example
 * const called = Float32Array.of(0.9, 0.8, 0.1, 0.2);
 * const [counts] = await regionCounts(called, Uint8Array.of(1, 0, 0, 255), { width: 4, height: 1, mpp: 0.5 });
 * console.log(counts.tp, counts.fp, counts.fn, counts.unknown); // 1 1 0 1
 */
export async function regionCounts(
  called: Float32Array | Uint8Array,
  truth: Uint8Array,
  options: RegionCountOptions,
): Promise<RegionCounts[]> {
  const { width, height, mpp, kinds = 1, signal } = options;
  const { threshold = REGION_SCORING.threshold, tolerance = REGION_SCORING.tolerance } = options;
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw mismatch('UAM_ARGUMENT', `regionCounts: ${name}`, expected, String(got));
  };
  if (!(mpp > 0 && mpp < 1e3)) refuse('mpp', 'micrometres per pixel', mpp);
  if (!(threshold > 0 && threshold <= 1)) refuse('threshold', 'above 0 to 1', threshold);
  if (!(tolerance >= 0 && tolerance < 1e6)) refuse('tolerance', 'micrometres from 0 on', tolerance);
  if (!(Number.isInteger(kinds) && kinds >= 1)) refuse('kinds', 'a whole number from 1 on', kinds);
  for (const [name, { length }] of Object.entries({ called, truth })) {
    if (length === width * height * kinds) continue;
    throw mismatch('UAM_SHAPE', `regionCounts: ${name}`, `${width} x ${height} x ${kinds} values`, String(length));
  }
  const pace = new Pace('regionCounts', signal);
  const reach = (tolerance / mpp) * (1 + 1e-9); // what is 4 um in decimals may be a hair more in binary
  const counted: RegionCounts[] = [];
  for (let kind = 0; kind < kinds; kind++) {
    const { planes, counts } = await planesOf(called, truth, { kinds, kind, threshold }, pace);
    counted.push({ ...counts, ...(await edgesOf(planes, { width, height }, reach, signal, pace)) });
  }
  return counted;
}
