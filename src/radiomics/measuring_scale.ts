// The pixel size at which features are measured: an image of another one is brought to it, and its cells keep their rows.
import type { Cells } from '../cells/cells.js';
import { findCellsAsync } from '../cells/find_cells.js';
import { UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { type Factors, resampleImage, resampleMask } from '../image/resample.js';

/** Micrometres per pixel at which features are measured; `'own'`: those of each image. */
export type MeasuringScale = number | 'own';

/** Pixel sizes that differ by less than this share are one: files of one magnification say 0.2425 or 0.2528. */
const TOLERANCE = 0.05;

/** Beyond this a pixel size is mistaken, or the image shows no nuclei as the features mean them. */
const MOST = 10;

/** Whether a value, from whomever, is a pixel size that features can be measured at. */
export const isMeasuringScale = (value: unknown): value is MeasuringScale =>
  value === 'own' || (typeof value === 'number' && value > 0 && value < Infinity);

/**
 * How many pixels of an image go into one of the wanted size.
 *
 * @returns undefined where the image is measured as it is
 * @throws UamError `UAM_DATA` where its pixel size is not known, or differs more than tenfold
 */
export function factorsTo(scale: MeasuringScale | undefined, { mpp, name = 'the image' }: Pick<RasterImage, 'mpp' | 'name'>) {
  if (scale === undefined || scale === 'own') return undefined;
  if (!mpp) throw new UamError('UAM_DATA', `${name}: its features are to be measured at ${scale} um per pixel: give its mpp, too`);
  const factors: Factors = [scale / mpp[0], scale / mpp[1]];
  const far = (factor: number, most: number) => factor > most || factor < 1 / most;
  if (!factors.some((factor) => far(factor, 1 + TOLERANCE))) return undefined;
  if (factors.some((factor) => far(factor, MOST))) {
    throw new UamError(
      'UAM_DATA',
      `${name}: its pixels of ${mpp.map((size) => Number(size.toPrecision(3))).join(' x ')} um are more than ${MOST} times larger or ` +
        `smaller than those at which its features are to be measured, ${scale} um: check mpp, or give an image of another magnification`,
    );
  }
  return factors;
}

/** An image, its mask and the mask's cells. */
export interface CellField {
  image: RasterImage;
  mask: LabelMask;
  cells: Cells;
}

/** The same field in other pixels. Cells may be missing from it; those that are there keep id and order. */
export async function resampleField({ image, mask }: CellField, factors: Factors, signal?: AbortSignal): Promise<CellField> {
  const pixels = await resampleImage(image, factors, signal);
  const labels = await resampleMask(mask, factors, signal);
  return { image: pixels, mask: labels, cells: await findCellsAsync(labels, { signal }) };
}

/** Where the cells `[from, to)` of a field are among those of another that lacks some: the range, and the row of each in the first. */
export function rowsAmong(found: Cells, cells: Cells, from: number, to: number): { from: number; to: number; rows: Int32Array } {
  if (found === cells) return { from, to, rows: Int32Array.from({ length: to - from }, (_, row) => row) };
  const rows: number[] = [];
  let at = countBelow(found.ids, from < to ? (cells.ids[from] as number) : 0);
  const first = at;
  for (let row = 0; row < to - from; row++) {
    if (found.ids[at] !== cells.ids[from + row]) continue;
    rows.push(row);
    at++;
  }
  return { from: first, to: at, rows: Int32Array.from(rows) };
}

/** How many of rising ids lie below one. */
function countBelow(ids: Uint32Array, id: number): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as number) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
