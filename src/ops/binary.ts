import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { broadcastShape, broadcastStrides, mergeAxes } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireSameDtype, requireTensor } from './check.js';
import { sumTo } from './reduce.js';
import { int32, walk } from './walk.js';

interface BinaryParams {
  op: number;
  rank: number;
  n: number;
  sizeA: number;
  sizeB: number;
  shape: Int32Array;
  stridesA: Int32Array;
  stridesB: Int32Array;
  a: FloatArray;
  b: FloatArray;
  y: FloatArray;
}

/** Name and function, in the order of `BinaryOp` in native/kernels/binary.h. */
const functions: readonly [string, (a: number, b: number) => number][] = [
  ['add', (a, b) => a + b],
  ['sub', (a, b) => a - b],
  ['mul', (a, b) => a * b],
  ['div', (a, b) => a / b],
  ['maximum', Math.max],
  ['minimum', Math.min],
  ['greaterEqual', (a, b) => (a >= b ? 1 : 0)],
];

const binaryKernel = kernel<BinaryParams>('binary', ({ op, shape, stridesA, stridesB, a, b, y }) => {
  const f = functions[op]?.[1] as (a: number, b: number) => number;
  walk(shape, [stridesA, stridesB], (flat, [at, bt]) => {
    y[flat] = f(a[at as number] as number, b[bt as number] as number);
  });
});

/** f(a, b) with broadcasting, not recorded. */
function apply(name: string, a: Tensor, b: Tensor): Tensor {
  const op = functions.findIndex(([known]) => known === name);
  const outShape = broadcastShape(name, a.shape, b.shape);
  const { shape, strides } = mergeAxes(outShape, [broadcastStrides(a.shape, outShape), broadcastStrides(b.shape, outShape)]);
  const y = Tensor.empty(outShape, a.dtype, a.device);
  binaryKernel({
    op,
    rank: shape.length,
    n: y.size,
    sizeA: a.size,
    sizeB: b.size,
    shape: int32(shape),
    stridesA: int32(strides[0] as number[]),
    stridesB: int32(strides[1] as number[]),
    a: floats(a),
    b: floats(b),
    y: floats(y),
  });
  return y;
}

/** A number stands for a tensor without axes, of the other operand's dtype. */
function operands(name: string, a: Tensor | number, b: Tensor | number): [Tensor, Tensor] {
  const like = a instanceof Tensor ? a : b;
  if (!(like instanceof Tensor)) requireTensor(name, 'a', a);
  const { dtype } = like as Tensor;
  const tensor = (value: Tensor | number) => (typeof value === 'number' ? Tensor.full([], value, dtype, (like as Tensor).device) : value);
  const pair: [Tensor, Tensor] = [requireTensor(name, 'a', tensor(a)), requireTensor(name, 'b', tensor(b))];
  requireSameDtype(name, ...pair);
  return pair;
}

type Slopes = (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => { da: () => Tensor; db: () => Tensor };

function binary(name: string, aIn: Tensor | number, bIn: Tensor | number, slopes: Slopes): Tensor {
  const [a, b] = operands(name, aIn, bIn);
  const y = apply(name, a, b);
  return record(name, [a, b], y, (dy, [needsA, needsB]) => {
    const { da, db } = slopes(dy, a, b, y);
    return [needsA ? sumTo(da(), a.shape) : undefined, needsB ? sumTo(db(), b.shape) : undefined];
  });
}

/**
 * a + b, elementwise. Shapes broadcast as in NumPy: trailing axes are matched, and axes of length 1 stretch. Numbers are taken too.
 *
 * @throws UamError `UAM_SHAPE` where the shapes do not broadcast, `UAM_DTYPE` for mixed or integer dtypes (so for all of these)
 * @example add(Tensor.from([1, 2]), 10);
 */
export const add = (a: Tensor | number, b: Tensor | number): Tensor => binary('add', a, b, (dy) => ({ da: () => dy, db: () => dy }));

/** a - b, elementwise, with broadcasting. @example sub(Tensor.from([1, 2]), Tensor.from([3, 4])); */
export const sub = (a: Tensor | number, b: Tensor | number): Tensor =>
  binary('sub', a, b, (dy) => ({ da: () => dy, db: () => apply('mul', dy, Tensor.full([], -1, dy.dtype, dy.device)) }));

/** a * b, elementwise, with broadcasting. @example mul(Tensor.from([1, 2]), 3); */
export const mul = (a: Tensor | number, b: Tensor | number): Tensor =>
  binary('mul', a, b, (dy, a, b) => ({ da: () => apply('mul', dy, b), db: () => apply('mul', dy, a) }));

/** a / b, elementwise, with broadcasting. @example div(1, Tensor.from([2, 4])); */
export const div = (a: Tensor | number, b: Tensor | number): Tensor =>
  binary('div', a, b, (dy, _a, b, y) => ({
    da: () => apply('div', dy, b),
    db: () => apply('mul', apply('div', apply('mul', dy, y), b), Tensor.full([], -1, dy.dtype, dy.device)),
  }));

/** 1 where `winner` >= `other`, else 0, times dy: where both are equal, the whole gradient goes to one side. */
const toWinner = (dy: Tensor, winner: Tensor, other: Tensor) => apply('mul', dy, apply('greaterEqual', winner, other));

/** The greater of a and b, elementwise, with broadcasting; NaN if either is. Where they are equal, a gets the gradient. @example maximum(Tensor.from([1, -2]), 0); */
export const maximum = (a: Tensor | number, b: Tensor | number): Tensor =>
  binary('maximum', a, b, (dy, a, b) => ({ da: () => toWinner(dy, a, b), db: () => apply('sub', dy, toWinner(dy, a, b)) }));

/** The lesser of a and b, elementwise, with broadcasting; NaN if either is. Where they are equal, a gets the gradient. @example minimum(Tensor.from([1, -2]), 0); */
export const minimum = (a: Tensor | number, b: Tensor | number): Tensor =>
  binary('minimum', a, b, (dy, a, b) => ({ da: () => toWinner(dy, b, a), db: () => apply('sub', dy, toWinner(dy, b, a)) }));
