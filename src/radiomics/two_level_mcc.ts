import { EPSILON } from './roi.js';

/**
 * The maximal correlation of a 2 x 2 matrix of shares as PyRadiomics computes it, to the last bit. Where two grey levels are
 * independent, the second eigenvalue is a rounding error about 0: PyRadiomics takes its root, so an error below 0 becomes NaN,
 * which the mean over angles skips. To give the same mean, the same rounding is needed: numpy's sums, then LAPACK's `dgebal` and
 * `dlanv2`.
 */
export function twoLevelMcc(shares: readonly (readonly number[])[]): number {
  const [[a = 0, b = 0] = [], [c = 0, d = 0] = []] = shares;
  const q = (i: readonly number[], j: readonly number[]): number => {
    const [i0 = 0, i1 = 0] = i;
    const [j0 = 0, j1 = 0] = j;
    const px = i0 + i1;
    return (i0 * j0) / (px * (a + c) + EPSILON) + (i1 * j1) / (px * (b + d) + EPSILON);
  };
  const rows = [
    [a, b],
    [c, d],
  ] as const;
  return Math.sqrt(lesserEigenvalue(balanced(rows.map((i) => rows.map((j) => q(i, j))) as Matrix)));
}

type Matrix = [[number, number], [number, number]];

/** dgebal: powers of two that make the norms of row and column alike. */
function balanced(a: Matrix): Matrix {
  for (let changed = true; changed; ) {
    changed = false;
    for (const i of [0, 1] as const) {
      let c = Math.sqrt(a[0][i] * a[0][i] + a[1][i] * a[1][i]);
      let r = Math.sqrt(a[i][0] * a[i][0] + a[i][1] * a[i][1]);
      if (!(c > 0) || !(r > 0)) continue;
      const sum = c + r;
      let factor = 1;
      for (; c < r / 2; r /= 2, c *= 2) factor *= 2;
      for (; c / 2 >= r; r *= 2, c /= 2) factor /= 2;
      if (c + r >= 0.95 * sum) continue;
      changed = true;
      for (const k of [0, 1] as const) a[i][k] *= 1 / factor;
      for (const k of [0, 1] as const) a[k][i] *= factor;
    }
  }
  return a;
}

/** The lesser eigenvalue of a matrix whose eigenvalues are real: dlanv2. */
function lesserEigenvalue([[a, b], [c, d]]: Matrix): number {
  if (b === 0 || c === 0) return Math.min(a, d);
  const half = 0.5 * (a - d);
  const greater = Math.max(Math.abs(b), Math.abs(c));
  const lesser = Math.sign(b) * Math.sign(c) * Math.min(Math.abs(b), Math.abs(c));
  const scale = Math.max(Math.abs(half), greater);
  const z = (half / scale) * half + (greater / scale) * lesser;
  if (!(z > 0)) return d;
  const shift = Math.sqrt(scale) * Math.sqrt(z);
  const root = half + (half < 0 || Object.is(half, -0) ? -shift : shift);
  return Math.min(d + root, d - (greater / root) * lesser);
}
