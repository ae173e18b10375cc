// The colours of stains as rows of optical densities, and what is computed with them.
import { UamError } from '../errors.js';
import type { RasterImage } from './image.js';

export type Row3 = readonly [number, number, number];
export type Matrix3 = readonly [Row3, Row3, Row3];

/**
 * Optical densities (R, G, B) of haematoxylin and eosin: Ruifrok and Johnston, Quantification of histochemical staining by color
 * deconvolution, Anal Quant Cytol Histol 2001;23:291, in the two digits in which scikit-image and others pass them on.
 */
export const ruifrok: readonly Row3[] = Object.freeze([
  [0.65, 0.7, 0.29],
  [0.07, 0.99, 0.11],
]) as readonly Row3[];

/** The optical density of each 8-bit value, scaled so that the darkest (1; 0 counts as 1) is 255 and white is 0. */
export function densityTable(): Float64Array {
  return Float64Array.from({ length: 256 }, (_, value) =>
    value === 255 ? 0 : (-Math.log(Math.max(value, 1) / 255) * 255) / Math.log(255),
  );
}

export function checkRgb(where: string, image: RasterImage): void {
  const { width, height, channels, data } = image ?? {};
  if (channels !== 3 || !(data instanceof Uint8Array)) {
    const kind = data && typeof data === 'object' ? (data as object).constructor?.name : String(data);
    throw new UamError(
      'UAM_ARGUMENT',
      `${where}: stains are told apart by colour: the image must be 8-bit RGB, received ${channels} channels of ${kind}`,
    );
  }
  if (!Number.isInteger(width) || !Number.isInteger(height) || data.length !== width * height * 3) {
    throw new UamError(
      'UAM_SHAPE',
      `${where}: an RGB image of ${width} x ${height} has ${width * height * 3} values, received ${data.length}`,
    );
  }
}

const cross = (a: Row3, b: Row3): Row3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const dot = (a: Row3, b: Row3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function unit(row: Row3): Row3 {
  const length = Math.hypot(...row);
  return [row[0] / length, row[1] / length, row[2] / length];
}

/** Unit rows; two rows get a third one at right angles to both. */
export function normalised(where: string, rows: readonly (readonly number[])[]): Matrix3 {
  const shaped = (rows.length === 2 || rows.length === 3) && rows.every((row) => Array.isArray(row) && row.length === 3);
  if (!shaped || !rows.flat().every(Number.isFinite)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${where}: stains must be two or three rows of three finite optical densities, received ${JSON.stringify(rows)}`,
    );
  }
  const given = rows as readonly Row3[];
  const [first, second] = given.map((row) => unit(row)) as [Row3, Row3];
  const third = given[2] ? unit(given[2]) : unit(cross(first, second));
  // The volume of the unit rows: 1 at right angles, 0 where one is made of the others.
  const volume = Math.abs(dot(cross(first, second), third));
  const spread = Math.hypot(...cross(first, second));
  if (!(volume > 1e-3) || !(spread > 1e-3)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${where}: the stains cannot be told apart, their rows (nearly) depend on each other: ${JSON.stringify(rows)}`,
    );
  }
  return [first, second, third];
}

export function inverse3([a, b, c]: Matrix3): number[][] {
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = dot(a, columns[0] as Row3);
  return [0, 1, 2].map((i) => columns.map((column) => (column[i] as number) / determinant));
}
