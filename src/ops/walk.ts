import type { Shape } from '../tensor/shape.js';

/** Calls `visit` with the offsets of every element of `shape`, in C order: how strided kernels are defined in TypeScript. */
export function walk(
  shape: ArrayLike<number>,
  strides: readonly ArrayLike<number>[],
  visit: (flat: number, offsets: readonly number[]) => void,
): void {
  const rank = shape.length;
  const index = new Array<number>(rank).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  let n = 1;
  for (let axis = 0; axis < rank; axis++) n *= shape[axis] as number;
  for (let flat = 0; flat < n; flat++) {
    visit(flat, offsets);
    for (let axis = rank - 1; axis >= 0; axis--) {
      const length = shape[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      const wraps = index[axis] === length;
      for (let k = 0; k < strides.length; k++) {
        (offsets[k] as number) += (strides[k]?.[axis] as number) * (wraps ? 1 - length : 1);
      }
      if (!wraps) break;
      index[axis] = 0;
    }
  }
}

export const int32 = (list: Shape): Int32Array => Int32Array.from(list);
