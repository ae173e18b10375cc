// Rings about the nuclei: where the cytoplasm is looked for when nobody has segmented it.
import type { Cells } from '../cells/cells.js';
import { mismatch } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';

interface Params {
  height: number;
  width: number;
  labels: Uint32Array;
  ringWidth: number;
  spacingX: number;
  spacingY: number;
  rings: Uint32Array;
}

function reference({ height, width, labels, ringWidth, spacingX, spacingY, rings }: Params): void {
  // In units of the smaller side of a pixel: whole numbers where pixels are square, so that ties are ties.
  const unit = Math.min(spacingX, spacingY);
  const squared = (length: number) => Math.min(length / unit, 1e150) ** 2; // a number however long
  const [wx, wy, limit] = [squared(spacingX), squared(spacingY), squared(ringWidth) * (1 + 1e-9)];
  const reachX = Math.min(Math.floor(Math.sqrt(limit / wx)), width);
  const reachY = Math.min(Math.floor(Math.sqrt(limit / wy)), height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const best = { distance: limit, id: 0 };
      for (let v = Math.max(y - reachY, 0); v <= Math.min(y + reachY, height - 1); v++) {
        for (let u = Math.max(x - reachX, 0); u <= Math.min(x + reachX, width - 1); u++) {
          const id = labels[v * width + u] as number;
          const distance = wx * (u - x) ** 2 + wy * (v - y) ** 2;
          const nearer = distance < best.distance || (distance === best.distance && (best.id === 0 || id < best.id));
          if (id !== 0 && nearer) Object.assign(best, { distance, id });
        }
      }
      rings[y * width + x] = labels[y * width + x] === 0 ? best.id : 0;
    }
  }
}

const ringLabels = hostKernel<Params>('ring_labels', reference);

/**
 * Rings about nuclei: each has the id of its nucleus, so the classes read them as
 * `roiMask(rings.mask, { ...cells, boxes: rings.boxes })`.
 */
export interface Rings {
  mask: LabelMask;
  /** `[cells, 4]`, as `Cells.boxes`: the nucleus' box grown by the width, within the image. The ring may be smaller, or empty. */
  boxes: Int32Array;
}

function prepare(mask: LabelMask, cells: Cells, width: number, [sx, sy]: readonly [number, number]) {
  if (!(width > 0) || !Number.isFinite(width)) throw mismatch('UAM_ARGUMENT', 'the width of the ring', 'a number above 0', `${width}`);
  if (![sx, sy].every((size) => size > 0 && Number.isFinite(size))) {
    throw mismatch('UAM_ARGUMENT', 'the spacing', 'two numbers above 0 (x, y)', `${sx}, ${sy}`);
  }
  const rings = new Uint32Array(mask.data.length);
  const { height, data: labels } = mask;
  const params: Params = { height, width: mask.width, labels, ringWidth: width, spacingX: sx, spacingY: sy, rings };
  // One pixel more than the width: the last one is in the ring even where the division rounds down.
  const [growX, growY] = [Math.min(Math.ceil(width / sx) + 1, mask.width), Math.min(Math.ceil(width / sy) + 1, height)];
  const boxes = cells.boxes.map((edge, i) => {
    const size = i % 2 === 0 ? mask.width : height;
    const grow = i % 2 === 0 ? growX : growY;
    return i % 4 < 2 ? Math.max(edge - grow, 0) : Math.min(edge + grow, size);
  });
  const result: Rings = { mask: { ...mask, data: rings }, boxes };
  return { params, result };
}

/**
 * A ring about each nucleus: every background pixel within the width of a nucleus belongs to the nearest one (the distance between
 * pixel centres, exact; of two at the same distance the smaller id). A ring never enters a nucleus, and has no pixels where
 * nuclei stand wall to wall: its features are then NaN.
 *
 * @param mask the label image of the nuclei
 * @param cells its cells; only their boxes are read
 * @param width of the ring, in the unit of the spacing (um); the HistomicsTK default is 8 pixels
 * @param spacing size of a pixel along x and y
 * @returns the label image of the rings, and a box for each that holds it
 * @throws UamError `UAM_ARGUMENT` for a width or spacing that is not above 0
 * @example
 * const mask = { width: 5, height: 1, data: Uint32Array.of(0, 7, 0, 0, 9) };
 * const cells = { count: 2, ids: Uint32Array.of(7, 9), boxes: Int32Array.of(1, 0, 2, 1, 4, 0, 5, 1), areas: Uint32Array.of(1, 1),
 *   centroids: Float64Array.of(1, 0, 4, 0), touchesBorder: Uint8Array.of(1, 1) };
 * ringMask(mask, cells, 0.25, [0.25, 0.25]).mask.data; // 7, 0, 7, 9, 0
 */
export function ringMask(mask: LabelMask, cells: Cells, width: number, spacing: readonly [number, number]): Rings {
  const { params, result } = prepare(mask, cells, width, spacing);
  ringLabels(params);
  return result;
}

/**
 * As `ringMask`, on a background thread.
 *
 * @param options `signal` ends the work; the promise then rejects with `UAM_ABORTED`
 * @example
 * const mask = { width: 3, height: 1, data: Uint32Array.of(0, 7, 0) };
 * const cells = { count: 1, ids: Uint32Array.of(7), boxes: Int32Array.of(1, 0, 2, 1), areas: Uint32Array.of(1),
 *   centroids: Float64Array.of(1, 0), touchesBorder: Uint8Array.of(1) };
 * (await ringMaskAsync(mask, cells, 2, [1, 1])).mask.data; // 7, 0, 7
 */
export async function ringMaskAsync(
  mask: LabelMask,
  cells: Cells,
  width: number,
  spacing: readonly [number, number],
  options: AsyncOptions = {},
): Promise<Rings> {
  const { params, result } = prepare(mask, cells, width, spacing);
  await ringLabels.async(params, options);
  return result;
}

/** The classes that rings have, by the class that computes them. */
export const RING_CLASSES = Object.freeze({ ring_firstorder: 'firstorder', ring_glcm: 'glcm' });

/** The features whose difference between nucleus and ring is told, under their columns' names without a channel. */
export const RING_DIFFERENCES: readonly string[] = Object.freeze([
  'firstorder_10Percentile',
  'firstorder_90Percentile',
  'firstorder_Entropy',
  'firstorder_InterquartileRange',
  'firstorder_Mean',
  'firstorder_Median',
  'firstorder_RootMeanSquared',
  'firstorder_Variance',
  'glcm_Contrast',
  'glcm_Correlation',
  'glcm_Idm',
  'glcm_JointEnergy',
  'glcm_JointEntropy',
]);

/**
 * Nucleus minus ring of each feature that both have: `ring_difference_<feature>`. NaN where either is.
 *
 * @param nucleus columns of the nuclei by feature, such as `firstorder_Mean`
 * @param ring columns of their rings under the same names, rows in the same order
 * @param names the features to compare; default `RING_DIFFERENCES`
 * @throws UamError `UAM_SHAPE` where two columns differ in length
 * @example
 * ringDifferences({ firstorder_Mean: Float64Array.of(90) }, { firstorder_Mean: Float64Array.of(150) });
 * // { ring_difference_firstorder_Mean: Float64Array [-60] }
 */
export function ringDifferences(
  nucleus: Readonly<Record<string, Float64Array>>,
  ring: Readonly<Record<string, Float64Array>>,
  names: readonly string[] = RING_DIFFERENCES,
): Record<string, Float64Array> {
  const columns: Record<string, Float64Array> = {};
  for (const name of names) {
    const [inner, outer] = [nucleus[name], ring[name]];
    if (!inner || !outer) continue;
    if (inner.length !== outer.length)
      throw mismatch('UAM_SHAPE', `column ${name} of the rings`, `${inner.length} rows`, `${outer.length}`);
    columns[`ring_difference_${name}`] = inner.map((value, row) => value - (outer[row] as number));
  }
  return columns;
}
