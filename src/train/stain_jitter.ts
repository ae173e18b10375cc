// Images as other laboratories would have stained them: jitter of haematoxylin, eosin and what is left, in optical densities.
import { inverse3, type Matrix3, normalised, ruifrok } from '../image/stain_matrix.js';

/** Six numbers: how much more of each of the three stains there is (a share), and how much is added to each (an optical density). */
export type StainDraw = ArrayLike<number>;

/** Natural optical densities of the 256 values; 0 counts as 1. */
const densities = (): Float64Array => Float64Array.from({ length: 256 }, (_, value) => -Math.log(Math.max(value, 1) / 255));

/** A density stained otherwise: `[3, 3]` that multiplies densities (as a row), and what is added. */
function restaining(draw: StainDraw): { matrix: number[][]; offset: number[] } {
  const stains: Matrix3 = normalised('stain jitter', ruifrok);
  const amounts = inverse3(stains);
  const at = (i: number) => draw[i] as number;
  const matrix = amounts.map((row) =>
    [0, 1, 2].map((c) => row.reduce((sum, amount, s) => sum + amount * (1 + at(s)) * ((stains[s] as Matrix3[number])[c] as number), 0)),
  );
  const offset = [0, 1, 2].map((c) => stains.reduce((sum, stain, s) => sum + at(3 + s) * (stain[c] as number), 0));
  return { matrix, offset };
}

/**
 * Red, green and blue after their stains were changed (Tellez et al., IEEE Trans Med Imaging 2018;37:2126): optical densities are told
 * apart into haematoxylin, eosin and a rest (Ruifrok and Johnston 2001), each is scaled and shifted, and they become light again.
 *
 * @param pixels `[n, 3]`, 0 to 255
 * @param draw what is changed
 * @returns `[n, 3]`, 0 to 255, not rounded
 */
export function restained(pixels: Uint8Array, draw: StainDraw): Float32Array {
  const density = densities();
  const { matrix, offset } = restaining(draw);
  const [m0, m1, m2] = matrix as [number[], number[], number[]];
  const out = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    const r = density[pixels[at] as number] as number;
    const g = density[pixels[at + 1] as number] as number;
    const b = density[pixels[at + 2] as number] as number;
    for (let c = 0; c < 3; c++) {
      const od = r * (m0[c] as number) + g * (m1[c] as number) + b * (m2[c] as number) + (offset[c] as number);
      out[at + c] = 255 * Math.exp(-Math.max(0, od));
    }
  }
  return out;
}
