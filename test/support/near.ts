import type { DataArray } from '../../src/index.js';

/**
 * The largest error, relative to the largest expected magnitude: max|actual - expected| / max|expected|. Elements that are not
 * finite in `expected` must be the same in `actual` (else the error is infinite). Where everything expected is zero or so small
 * that float32 rounding of the inputs decides (below `floor`), the error is measured against `floor`.
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-30): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let scale = floor;
  for (let i = 0; i < expected.length; i++) {
    const want = expected[i] as number;
    const got = actual[i] as number;
    if (!Number.isFinite(Math.fround(want))) {
      if (!Object.is(Math.fround(want), got) && !(Number.isNaN(want) && Number.isNaN(got))) return Number.POSITIVE_INFINITY;
      continue;
    }
    scale = Math.max(scale, Math.abs(want));
    const error = Math.abs(got - want);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst / scale;
}

/** Whether two arrays hold the same bits. */
export function sameBits(a: DataArray, b: DataArray): boolean {
  const bytes = (array: DataArray) => Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
  return bytes(a).equals(bytes(b));
}
