import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import { DeviceArray } from '../native/device_array.js';
import type { DataArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { broadcastStrides, contiguousStrides, format, mergeAxes, normalAxis, type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import { Tensor, type TensorMemory } from '../tensor/tensor.js';
import { requireTensor } from './check.js';
import { int32, walk } from './walk.js';

interface CopyStridedParams {
  rank: number;
  sourceSize: number;
  targetSize: number;
  sourceOffset: number;
  targetOffset: number;
  shape: Int32Array;
  sourceStrides: Int32Array;
  targetStrides: Int32Array;
  source: DataArray;
  target: DataArray;
}

const copyKernel = kernel<CopyStridedParams>('copy_strided', (p) => {
  walk(p.shape, [p.sourceStrides, p.targetStrides], (_, [from, to]) => {
    p.target[p.targetOffset + (to as number)] = p.source[p.sourceOffset + (from as number)] as number;
  });
});

interface Side {
  tensor: Tensor;
  strides: readonly number[];
  offset?: number;
}

/** Native code copies 32-bit elements as they are, so integers travel as floats; bytes take the TypeScript definition. */
function asFloats(memory: TensorMemory): DataArray {
  if (memory instanceof Int32Array) return new Float32Array(memory.buffer as ArrayBuffer, memory.byteOffset, memory.length);
  if (!(memory instanceof DeviceArray)) return memory;
  if (memory.dtype === 'uint8') {
    throw new UamError('UAM_DEVICE', "uint8 tensors on cuda cannot be rearranged: permute, slice or join them before to('cuda')");
  }
  return (memory.dtype === 'int32' ? memory.as('float32') : memory) as unknown as DataArray;
}

function copy(shape: Shape, source: Side, target: Side): void {
  const merged = mergeAxes(shape, [source.strides, target.strides]);
  const params: CopyStridedParams = {
    rank: merged.shape.length,
    sourceSize: source.tensor.size,
    targetSize: target.tensor.size,
    sourceOffset: source.offset ?? 0,
    targetOffset: target.offset ?? 0,
    shape: int32(merged.shape),
    sourceStrides: int32(merged.strides[0] as number[]),
    targetStrides: int32(merged.strides[1] as number[]),
    source: asFloats(source.tensor.memory),
    target: asFloats(target.tensor.memory),
  };
  if (source.tensor.dtype === 'uint8') copyKernel.reference(params);
  else copyKernel(params);
}

/** `x` repeated to `shape`; not recorded. */
export function broadcastCopy(x: Tensor, shape: Shape): Tensor {
  const y = Tensor.empty(shape, x.dtype, x.device);
  copy(shape, { tensor: x, strides: broadcastStrides(x.shape, shape) }, { tensor: y, strides: contiguousStrides(shape) });
  return y;
}

const anyDtype = ['float32', 'float64', 'int32', 'uint8'] as const;

/**
 * The same elements in another shape, over the same memory. One length may be -1: it is worked out.
 *
 * @throws UamError `UAM_SHAPE` where the number of elements differs
 * @example reshape(Tensor.from([1, 2, 3, 4]), [2, -1]);
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  requireTensor('reshape', 'x', x, anyDtype);
  const known = shape.reduce((n, length) => (length === -1 ? n : n * length), 1);
  const resolved = shape.map((length) => (length === -1 ? x.size / known : length));
  const holes = shape.filter((length) => length === -1).length;
  if (holes > 1 || resolved.some((length) => !Number.isInteger(length) || length < 0) || sizeOf(resolved) !== x.size) {
    throw mismatch('UAM_SHAPE', 'reshape: shape', `one of ${x.size} elements, as ${format(x.shape)} has`, format(shape));
  }
  return record('reshape', [x], x.alias(resolved), (dy) => [dy.alias(x.shape)]);
}

/**
 * Axes in another order: axis i of the result is axis `order[i]` of `x`. Copies.
 *
 * @throws UamError `UAM_ARGUMENT` where `order` does not name every axis once
 * @example permute(Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]), [1, 0]);   // the transpose
 */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  requireTensor('permute', 'x', x, anyDtype);
  const axes = order.map((axis) => normalAxis('permute', axis, x.shape.length));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw mismatch('UAM_ARGUMENT', 'permute: order', `every axis of ${format(x.shape)} once`, format(order));
  }
  const shape = axes.map((axis) => x.shape[axis] as number);
  const y = Tensor.empty(shape, x.dtype, x.device);
  const strides = contiguousStrides(x.shape);
  copy(shape, { tensor: x, strides: axes.map((axis) => strides[axis] as number) }, { tensor: y, strides: contiguousStrides(shape) });
  return record('permute', [x], y, (dy) => [
    permute(
      dy,
      axes.map((_, axis) => axes.indexOf(axis)),
    ),
  ]);
}

/** The last two axes exchanged. Copies. @example transpose(Tensor.from([1, 2, 3, 4], [2, 2])); */
export function transpose(x: Tensor): Tensor {
  requireTensor('transpose', 'x', x, anyDtype);
  const rank = x.shape.length;
  if (rank < 2) throw mismatch('UAM_SHAPE', 'transpose: x', 'of at least two axes', format(x.shape));
  return permute(x, [...x.shape.keys()].slice(0, rank - 2).concat(rank - 1, rank - 2));
}

/**
 * A part of `x`: `begin[i]` to `end[i]` (not included) along each axis that they list; negative numbers count from the end, and
 * axes not listed are whole. A range of the first axis alone shares `x`'s memory; any other is copied.
 *
 * @throws UamError `UAM_ARGUMENT` for ranges that are not within the shape
 * @example slice(Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]), [0, 1], [2, 3]);   // the last two columns
 */
export function slice(x: Tensor, begin: readonly number[], end: readonly number[]): Tensor {
  requireTensor('slice', 'x', x, anyDtype);
  const fromEnd = (at: number | undefined, length: number, missing: number) => (at === undefined ? missing : at < 0 ? at + length : at);
  const first = x.shape.map((n, axis) => fromEnd(begin[axis], n, 0));
  const last = x.shape.map((n, axis) => fromEnd(end[axis], n, n));
  const ok = x.shape.every((n, axis) => {
    const [a, b] = [first[axis] as number, last[axis] as number];
    return Number.isInteger(a) && Number.isInteger(b) && a >= 0 && a <= b && b <= n;
  });
  if (!ok || begin.length > x.shape.length || end.length > x.shape.length) {
    throw mismatch('UAM_ARGUMENT', 'slice: begin and end', `within ${format(x.shape)}`, `${format(begin)} to ${format(end)}`);
  }
  const shape = last.map((b, axis) => b - (first[axis] as number));
  const strides = contiguousStrides(x.shape);
  const offset = first.reduce((sum, a, axis) => sum + a * (strides[axis] as number), 0);
  const wholeRows = shape.every((n, axis) => axis === 0 || n === x.shape[axis]);
  let y: Tensor;
  if (wholeRows && shape.length > 0) {
    y = x.rows(first[0] as number, last[0] as number);
  } else {
    y = Tensor.empty(shape, x.dtype, x.device);
    copy(shape, { tensor: x, strides, offset }, { tensor: y, strides: contiguousStrides(shape) });
  }
  return record('slice', [x], y, (dy) => {
    const dx = Tensor.zeros(x.shape, dy.dtype, dy.device);
    copy(shape, { tensor: dy, strides: contiguousStrides(shape) }, { tensor: dx, strides, offset });
    return [dx];
  });
}

/**
 * Tensors one after the other along an axis; their other axes must agree. Copies.
 *
 * @throws UamError `UAM_SHAPE` where shapes do not fit, `UAM_DTYPE` where dtypes differ, `UAM_ARGUMENT` for an empty list
 * @example concat([Tensor.from([1, 2]), Tensor.from([3])], 0);
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [head] = tensors;
  if (!head) throw new UamError('UAM_ARGUMENT', 'concat: expected at least one tensor, received an empty list');
  for (const tensor of tensors) requireTensor('concat', 'every tensor', tensor, [head.dtype]);
  const at = normalAxis('concat', axis, head.shape.length);
  const fits = (tensor: Tensor) =>
    tensor.shape.length === head.shape.length && tensor.shape.every((n, i) => i === at || n === head.shape[i]);
  const odd = tensors.find((tensor) => !fits(tensor));
  if (odd) throw mismatch('UAM_SHAPE', `concat: every tensor`, `like ${format(head.shape)} except along axis ${at}`, format(odd.shape));
  const lengths = tensors.map((tensor) => tensor.shape[at] as number);
  const shape = head.shape.map((n, i) => (i === at ? lengths.reduce((a, b) => a + b, 0) : n));
  const strides = contiguousStrides(shape);
  const y = Tensor.empty(shape, head.dtype, head.device);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  tensors.forEach((tensor, i) => {
    const offset = (starts[i] as number) * (strides[at] as number);
    copy(tensor.shape, { tensor, strides: contiguousStrides(tensor.shape) }, { tensor: y, strides, offset });
  });
  return record('concat', tensors, y, (dy, needs) =>
    tensors.map((tensor, i) => {
      if (!needs[i]) return undefined;
      const part = Tensor.empty(tensor.shape, dy.dtype, dy.device);
      const offset = (starts[i] as number) * (strides[at] as number);
      copy(tensor.shape, { tensor: dy, strides, offset }, { tensor: part, strides: contiguousStrides(tensor.shape) });
      return part;
    }),
  );
}

/** Tensors of one shape along a new axis. Copies. @example stack([Tensor.from([1, 2]), Tensor.from([3, 4])]); */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const [head] = tensors;
  if (!head) throw new UamError('UAM_ARGUMENT', 'stack: expected at least one tensor, received an empty list');
  const odd = tensors.find((tensor) => !sameShape(tensor.shape, head.shape));
  if (odd) throw mismatch('UAM_SHAPE', 'stack: every tensor', `of shape ${format(head.shape)}`, format(odd.shape));
  const at = normalAxis('stack', axis, head.shape.length + 1);
  return concat(
    tensors.map((tensor) => reshape(tensor, [...tensor.shape.slice(0, at), 1, ...tensor.shape.slice(at)])),
    at,
  );
}
