import { UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { normalAxis, type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireTensor } from './check.js';
import { broadcastCopy } from './copy_strided.js';
import { rejectIndex } from './index_error.js';

interface ReduceParams {
  op: number;
  outer: number;
  axis: number;
  inner: number;
  scale: number;
  x: FloatArray;
  y: FloatArray;
  index?: Int32Array;
}

/** In the order of `ReduceOp` in native/kernels/reduce.h. */
const SUM = 0;
const MAX = 1;
const MIN = 2;

const reduceKernel = kernel<ReduceParams>('reduce', ({ op, outer, axis, inner, scale, x, y, index }) => {
  const better = (a: number, b: number) => !Number.isNaN(b) && (Number.isNaN(a) || (op === MAX ? a > b : a < b));
  if (op !== SUM && axis === 0 && outer * inner > 0)
    throw new UamError('UAM_SHAPE', 'reduce: the greatest or least of no elements does not exist');
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (a: number) => x[(o * axis + a) * inner + i] as number;
      let total = op === SUM ? 0 : at(0);
      let first = 0;
      for (let a = op === SUM ? 0 : 1; a < axis; a++) {
        if (op === SUM) {
          total += at(a);
        } else if (better(at(a), total)) {
          total = at(a);
          first = a;
        }
      }
      y[o * inner + i] = op === SUM ? total * scale : total;
      if (index) index[o * inner + i] = first;
    }
  }
});

interface ReduceBwdParams {
  outer: number;
  axis: number;
  inner: number;
  index: Int32Array;
  dy: FloatArray;
  dx: FloatArray;
}

const reduceBwd = kernel<ReduceBwdParams>('reduce_bwd', ({ outer, axis, inner, index, dy, dx }) => {
  index.forEach((a, at) => {
    if (a < 0 || a >= axis) rejectIndex('reduce_bwd', 'index', at, a, axis);
  });
  dx.fill(0);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) dx[(o * axis + (index[o * inner + i] as number)) * inner + i] = dy[o * inner + i] as number;
  }
});

/** Runs of neighbouring axes to reduce, as [outer, axis, inner] of what is left at that point. */
function reduceAxes(op: number, x: Tensor, axes: readonly number[], scale: number): Tensor {
  let current = x;
  let shape = [...x.shape];
  const remaining = [...axes].sort((a, b) => a - b);
  if (remaining.length === 0) return scale === 1 ? x.alias() : sumOnce(op, x, [1, 1, x.size], scale, x.shape);
  while (remaining.length > 0) {
    const end = remaining.pop() as number;
    let begin = end;
    while (remaining.at(-1) === begin - 1) begin = remaining.pop() as number;
    const layout: [number, number, number] = [
      sizeOf(shape.slice(0, begin)),
      sizeOf(shape.slice(begin, end + 1)),
      sizeOf(shape.slice(end + 1)),
    ];
    shape = shape.map((n, axis) => (axis >= begin && axis <= end ? 1 : n));
    current = sumOnce(op, current, layout, remaining.length === 0 ? scale : 1, shape);
  }
  return current;
}

function sumOnce(op: number, x: Tensor, [outer, axis, inner]: [number, number, number], scale: number, shape: Shape): Tensor {
  const y = Tensor.empty(shape, x.dtype, x.device);
  reduceKernel({ op, outer, axis, inner, scale, x: floats(x), y: floats(y) });
  return y;
}

/** The sum over the axes along which `x` was broadcast from `shape`: how gradients of broadcast operands are made. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((n, axis) => (axis < lead || (shape[axis - lead] === 1 && n !== 1) ? [axis] : []));
  return reduceAxes(SUM, x, axes, 1).alias(shape);
}

export interface ReduceOptions {
  /** The axis or axes to reduce; negative ones count from the end. Default: all. */
  axis?: number | readonly number[];
  /** Keeps reduced axes with length 1. Default false. */
  keepDims?: boolean;
}

function reduced(op: string, x: Tensor, { axis, keepDims = false }: ReduceOptions): { axes: number[]; kept: number[]; shape: number[] } {
  const rank = x.shape.length;
  const list =
    axis === undefined ? x.shape.map((_, i) => i) : (typeof axis === 'number' ? [axis] : [...axis]).map((a) => normalAxis(op, a, rank));
  const axes = [...new Set(list)];
  if (axes.length !== list.length) throw new UamError('UAM_ARGUMENT', `${op}: axis names one axis twice: ${JSON.stringify(axis)}`);
  const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  return { axes, kept, shape: keepDims ? kept : kept.filter((_, i) => !axes.includes(i)) };
}

function sumOrMean(op: 'sum' | 'mean', x: Tensor, options: ReduceOptions): Tensor {
  requireTensor(op, 'x', x);
  const { axes, kept, shape } = reduced(op, x, options);
  const count = axes.reduce((n, axis) => n * (x.shape[axis] as number), 1);
  const scale = op === 'mean' ? 1 / count : 1;
  const y = reduceAxes(SUM, x, axes, scale).alias(shape);
  // A sum over an axis of one element, scaled, is the scaled gradient.
  const scaled = (dy: Tensor) => (scale === 1 ? dy : sumOnce(SUM, dy, [1, 1, dy.size], scale, dy.shape));
  return record(op, [x], y, (dy) => [broadcastCopy(scaled(dy).alias(kept), x.shape)]);
}

/**
 * Sum over axes, in a fixed order. Long sums are carried in float64.
 *
 * @throws UamError `UAM_ARGUMENT` for an axis that is not there
 * @example sum(Tensor.from([1, 2, 3, 4], [2, 2]), { axis: 0 });   // [4, 6]
 */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor => sumOrMean('sum', x, options);

/** Mean over axes (NaN over none). @example mean(Tensor.from([1, 2, 3])); */
export const mean = (x: Tensor, options: ReduceOptions = {}): Tensor => sumOrMean('mean', x, options);

function extreme(op: 'max' | 'min', x: Tensor, axis: number, keepDims: boolean): { values: Tensor; indices: Tensor } {
  requireTensor(op, 'x', x);
  const at = normalAxis(op, axis, x.shape.length);
  const layout: [number, number, number] = [sizeOf(x.shape.slice(0, at)), x.shape[at] as number, sizeOf(x.shape.slice(at + 1))];
  const { shape } = reduced(op, x, { axis: at, keepDims });
  const values = Tensor.empty(shape, x.dtype, x.device);
  const indices = Tensor.empty(shape, 'int32', x.device);
  const [outer, length, inner] = layout;
  const index = indices.memory as Int32Array;
  reduceKernel({ op: op === 'max' ? MAX : MIN, outer, axis: length, inner, scale: 1, x: floats(x), y: floats(values), index });
  record(op, [x], values, (dy) => {
    const dx = Tensor.empty(x.shape, dy.dtype, dy.device);
    reduceBwd({ outer, axis: length, inner, index, dy: floats(dy), dx: floats(dx) });
    return [dx];
  });
  return { values, indices };
}

/**
 * The greatest element along an axis and where it stands (the first of several). NaN counts as greater than any number.
 *
 * @returns `values`, and int32 `indices` along the axis
 * @throws UamError `UAM_SHAPE` over an axis of length 0
 * @example max(Tensor.from([1, 5, 3])).values.item();   // 5
 */
export const max = (x: Tensor, { axis = -1, keepDims = false }: { axis?: number; keepDims?: boolean } = {}) =>
  extreme('max', x, axis, keepDims);

/** The least element along an axis and where it stands; otherwise as `max`. @example min(Tensor.from([4, 2])).indices.item();   // 1 */
export const min = (x: Tensor, { axis = -1, keepDims = false }: { axis?: number; keepDims?: boolean } = {}) =>
  extreme('min', x, axis, keepDims);
