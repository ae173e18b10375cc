import { UamError } from '../errors.js';
import type { RasterImage } from './image.js';
import { checkRgb, type Row3 } from './stain_matrix.js';

export interface MacenkoOptions {
  /** Pixels with an optical density (base 10) below this in any channel are taken for glass; default 0.15. */
  beta?: number | undefined;
  /** Per cent of the pixels beyond either stain's colour that are taken for stray; default 1. */
  alpha?: number | undefined;
}

const angleBins = 1 << 14;
const leastPixels = 100;

/** Unit eigenvectors of a symmetric 3 x 3 matrix by Jacobi's rotations, those of the largest eigenvalues first. */
export function eigenvectors3(matrix: readonly (readonly number[])[]): { values: number[]; vectors: Row3[] } {
  const a = matrix.map((row) => [...row]) as number[][];
  const v = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]; // prettier-ignore
  const at = (m: number[][], i: number, j: number) => (m[i] as number[])[j] as number;
  for (let sweep = 0; sweep < 30; sweep++) {
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const off = at(a, p, q);
      if (off === 0) continue;
      const theta = (at(a, q, q) - at(a, p, p)) / (2 * off);
      const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
      const c = 1 / Math.sqrt(t * t + 1);
      const s = t * c;
      for (const m of [a, v]) {
        for (const row of m) {
          const [x, y] = [row[p] as number, row[q] as number];
          row[p] = c * x - s * y;
          row[q] = s * x + c * y;
        }
      }
      const [rowP, rowQ] = [a[p] as number[], a[q] as number[]];
      for (let k = 0; k < 3; k++) {
        const [x, y] = [rowP[k] as number, rowQ[k] as number];
        rowP[k] = c * x - s * y;
        rowQ[k] = s * x + c * y;
      }
    }
  }
  const order = [0, 1, 2].sort((i, j) => at(a, j, j) - at(a, i, i));
  return { values: order.map((i) => at(a, i, i)), vectors: order.map((i): Row3 => [at(v, 0, i), at(v, 1, i), at(v, 2, i)]) };
}

/** Mean and covariance of the optical densities of the stained pixels. */
function covariance(data: Uint8Array, od: Float64Array, beta: number): { count: number; matrix: number[][] } {
  const sums = new Float64Array(9); // r, g, b, rr, rg, rb, gg, gb, bb
  let count = 0;
  for (let i = 0; i < data.length; i += 3) {
    const r = od[data[i] as number] as number;
    const g = od[data[i + 1] as number] as number;
    const b = od[data[i + 2] as number] as number;
    if (r < beta || g < beta || b < beta) continue;
    count++;
    sums[0]! += r;
    sums[1]! += g;
    sums[2]! += b;
    sums[3]! += r * r;
    sums[4]! += r * g;
    sums[5]! += r * b;
    sums[6]! += g * g;
    sums[7]! += g * b;
    sums[8]! += b * b;
  }
  const [r, g, b, rr, rg, rb, gg, gb, bb] = Array.from(sums, (sum) => sum / count) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    count,
    matrix: [
      [rr - r * r, rg - r * g, rb - r * b],
      [rg - r * g, gg - g * g, gb - g * b],
      [rb - r * b, gb - g * b, bb - b * b],
    ],
  };
}

/**
 * Estimates the colours of haematoxylin and eosin in one image (Macenko et al., A method for normalizing histology slides for
 * quantitative analysis, ISBI 2009): the optical densities of stained pixels lie near a plane, and within it between the directions of
 * the two stains, which are taken at a low and a high percentile of the angles.
 *
 * The optical densities are `-log10((v + 1) / 256)`; glass, below `beta` in any channel, is left out. Percentiles come from a histogram
 * of 16,384 angles. Of the two directions haematoxylin is the one that absorbs more red.
 *
 * @param image RGB, 8 bits
 * @returns two unit rows of optical densities (R, G, B): haematoxylin, eosin
 * @throws UamError `UAM_DATA` for fewer than 100 stained pixels, or of one colour only; `UAM_ARGUMENT` for another kind of image
 * @example
 * const data = new Uint8Array(3 * 400);
 * for (let i = 0; i < 400; i++) data.set(i % 2 ? [90, 50, 140 + (i % 7)] : [170 - (i % 9), 110, 170], i * 3);
 * const [haematoxylin, eosin] = estimateStains({ width: 20, height: 20, channels: 3, data });
 */
export function estimateStains(image: RasterImage, { beta = 0.15, alpha = 1 }: MacenkoOptions = {}): [Row3, Row3] {
  checkRgb('estimateStains', image);
  if (!(beta >= 0) || !(alpha >= 0 && alpha < 50)) {
    throw new UamError('UAM_ARGUMENT', `estimateStains: beta must be at least 0 and alpha from 0 to 50, received ${beta} and ${alpha}`);
  }
  const data = image.data as Uint8Array;
  const od = Float64Array.from({ length: 256 }, (_, value) => -Math.log10((value + 1) / 256));
  const { count, matrix } = covariance(data, od, beta);
  const name = image.name ? `${image.name}: ` : '';
  if (count < leastPixels) {
    throw new UamError(
      'UAM_DATA',
      `${name}only ${count} pixels are stained (at least ${leastPixels} are needed to estimate stains); use stains: 'ruifrok'`,
    );
  }
  const { values, vectors } = eigenvectors3(matrix);
  if (!((values[1] as number) > 1e-9)) {
    throw new UamError('UAM_DATA', `${name}all stained pixels have one colour: two stains cannot be estimated; use stains: 'ruifrok'`);
  }
  // Both towards positive densities, so that the angles of real pixels lie around 0.
  const [first, second] = vectors
    .slice(0, 2)
    .map((vector): Row3 => (vector[0] + vector[1] + vector[2] < 0 ? [-vector[0], -vector[1], -vector[2]] : vector)) as [Row3, Row3];

  const histogram = new Uint32Array(angleBins);
  for (let i = 0; i < data.length; i += 3) {
    const r = od[data[i] as number] as number;
    const g = od[data[i + 1] as number] as number;
    const b = od[data[i + 2] as number] as number;
    if (r < beta || g < beta || b < beta) continue;
    const angle = Math.atan2(r * second[0] + g * second[1] + b * second[2], r * first[0] + g * first[1] + b * first[2]);
    const bin = Math.min(angleBins - 1, Math.floor((angle / (2 * Math.PI) + 0.5) * angleBins));
    histogram[bin]!++;
  }
  const along = (share: number): Row3 => {
    let left = share * count;
    let bin = 0;
    while (bin < angleBins - 1 && left >= (histogram[bin] as number)) left -= histogram[bin++] as number;
    const angle = ((bin + 0.5) / angleBins - 0.5) * 2 * Math.PI;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return [c * first[0] + s * second[0], c * first[1] + s * second[1], c * first[2] + s * second[2]];
  };
  const [low, high] = [along(alpha / 100), along(1 - alpha / 100)];
  if (Math.abs(low[0] * high[0] + low[1] * high[1] + low[2] * high[2]) > 1 - 1e-6) {
    throw new UamError('UAM_DATA', `${name}the stained pixels have one hue: two stains cannot be estimated; use stains: 'ruifrok'`);
  }
  return low[0] > high[0] ? [low, high] : [high, low];
}
