import { mismatch, UamError } from '../errors.js';

export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

export function checkShape(where: string, shape: Shape): void {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isInteger(n) && n >= 0)) {
    throw mismatch('UAM_SHAPE', `${where}: shape`, 'a list of integers >= 0', JSON.stringify(shape));
  }
  if (!Number.isSafeInteger(sizeOf(shape))) throw new UamError('UAM_SHAPE', `${where}: shape ${format(shape)} has too many elements`);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis]);
}

export function format(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Strides of a contiguous array in C order, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** An axis counted from the start, from one that may count from the end. */
export function normalAxis(where: string, axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || index < 0 || index >= rank) {
    throw mismatch('UAM_ARGUMENT', `${where}: axis`, `an integer from ${-rank} to ${rank - 1}`, String(axis));
  }
  return index;
}

/** The shape that arrays of shapes a and b have together: trailing axes are matched, and 1 stretches. */
export function broadcastShape(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const na = a[axis - rank + a.length] ?? 1;
    const nb = b[axis - rank + b.length] ?? 1;
    if (na !== nb && na !== 1 && nb !== 1) {
      throw mismatch('UAM_SHAPE', `${where}: shapes`, 'equal on every axis or 1 there', `${format(a)} and ${format(b)}`);
    }
    shape[axis] = na === 1 ? nb : na;
  }
  return shape;
}

/** Strides of an array of shape `from` read as if it had the broadcast shape `to`: 0 where it repeats. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const own = contiguousStrides(from);
  return to.map((_, axis) => {
    const index = axis - to.length + from.length;
    return index < 0 || from[index] === 1 ? 0 : (own[index] as number);
  });
}

/**
 * The same walk over several strided arrays with as few axes as possible: axes of length 1 go, and neighbours along which every
 * array continues evenly become one.
 */
export function mergeAxes(shape: Shape, strides: readonly (readonly number[])[]): { shape: number[]; strides: number[][] } {
  const merged: number[] = [];
  const out: number[][] = strides.map(() => []);
  shape.forEach((n, axis) => {
    if (n === 1) return;
    const last = merged.length - 1;
    const continues = last >= 0 && strides.every((list, k) => (out[k]?.[last] as number) === (list[axis] as number) * n);
    if (continues) {
      (merged[last] as number) *= n;
      for (const [k, list] of strides.entries()) (out[k] as number[])[last] = list[axis] as number;
    } else {
      merged.push(n);
      for (const [k, list] of strides.entries()) (out[k] as number[]).push(list[axis] as number);
    }
  });
  return { shape: merged, strides: out };
}
