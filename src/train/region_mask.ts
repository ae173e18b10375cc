// Masks of regions in files: which pixels are tumour, which are not, and of which nobody knows.
import { mismatch, UamError } from '../errors.js';
import type { ImageWarning, LabelMask } from '../image/image.js';
import { readMask } from '../image/read_mask.js';
import { UNKNOWN_REGION } from './joint_dataset.js';
import { Pace } from './pace.js';

/** Doubts about ids of cells, which mean nothing here. */
const OF_CELLS: readonly string[] = Object.freeze(['empty_mask', 'binary_mask', 'clipped_labels', 'float_mask']);

/** What the values of region masks mean, beside 0 (outside) and 1 or 255 (inside). */
export interface RegionValues {
  /** The value of pixels of which nobody said what they are, such as 128. Default: there are none. */
  regionUnknown?: number | undefined;
}

/** @throws UamError `UAM_ARGUMENT` for a value that cannot stand for what is not known */
export function checkRegionUnknown(value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= 65535)) return;
  throw mismatch('UAM_ARGUMENT', 'regionUnknown', 'a value of region masks from 1 to 65535 (0 is outside)', String(value));
}

/**
 * Reads a mask of one region: PNG, TIFF, NPY, as `readMask`.
 *
 * @param size that it must have: that of its image
 * @returns 0 outside, 1 inside, 255 where it is not known
 * @throws UamError as `readMask`; `UAM_DATA` for other values, and for a mask whose values could mean two things
 */
export async function readRegion(
  path: string,
  { width, height }: { width: number; height: number },
  { regionUnknown }: RegionValues,
  signal: AbortSignal | undefined,
): Promise<{ mask: LabelMask; warnings: ImageWarning[] }> {
  const { warnings, ...mask } = await readMask(path, { width, height, ...(signal && { signal }) });
  const { data } = mask;
  const pace = new Pace('reading a region mask', signal);
  let inside = 0;
  for (let at = 0; at < data.length; at++) {
    if ((at & 0xfffff) === 0) await pace.rest();
    const value = data[at] as number;
    if (value === 0) continue;
    if (value === regionUnknown) {
      data[at] = UNKNOWN_REGION;
      continue;
    }
    if (value !== 1 && value !== 255) refuseValue(path, value, at % width, Math.floor(at / width));
    if (inside !== 0 && inside !== value) {
      throw new UamError(
        'UAM_DATA',
        `${path}: this region mask holds both 1 and 255; where one of them marks what is not known, name it: regionUnknown (--region-unknown)`,
      );
    }
    inside = value;
    data[at] = 1;
  }
  return { mask, warnings: warnings.filter(({ code }) => !OF_CELLS.includes(code)) };
}

function refuseValue(path: string, value: number, x: number, y: number): never {
  throw mismatch(
    'UAM_DATA',
    `${path}: the value at x ${x}, y ${y}`,
    '0 (outside) or 1 or 255 (inside)',
    String(value),
    `where ${value} marks what is not known, say so: regionUnknown (--region-unknown)`,
  );
}

/**
 * Masks of several regions side by side; a region without a mask is not known anywhere.
 *
 * @param masks of one size, with the values of `readRegion`
 * @returns `[height, width, regions]`, in memory that threads share; undefined where there is no mask at all
 */
export async function regionsTogether(masks: readonly (LabelMask | undefined)[], pace: Pace): Promise<Uint8Array | undefined> {
  const pixels = masks.find((mask) => mask)?.data.length;
  if (pixels === undefined) return undefined;
  const out = new Uint8Array(new SharedArrayBuffer(pixels * masks.length));
  if (masks.length === 1) out.set(masks[0]?.data as Uint32Array);
  else for (const [region, mask] of masks.entries()) await setRegion(out, mask?.data, [region, masks.length], pace);
  return out;
}

async function setRegion(out: Uint8Array, data: Uint32Array | undefined, [region, regions]: readonly [number, number], pace: Pace) {
  for (let at = region, from = 0; at < out.length; at += regions, from++) {
    out[at] = data ? (data[from] as number) : UNKNOWN_REGION;
    if ((from & 0xfffff) === 0) await pace.rest();
  }
}
