import { UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { normalAxis, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireShape, requireTensor } from './check.js';

interface Layout {
  outer: number;
  rows: number;
  width: number;
  n: number;
  index: Int32Array;
}

function checkIndex({ rows, index }: Layout): void {
  index.forEach((row, j) => {
    if (row < 0 || row >= rows) throw new UamError('UAM_ARGUMENT', `gather: index[${j}] must be from 0 to ${rows - 1}, received ${row}`);
  });
}

const gatherRowsFwd = kernel<Layout & { x: FloatArray; y: FloatArray }>('gather_rows_fwd', (p) => {
  checkIndex(p);
  for (let o = 0; o < p.outer; o++) {
    for (let j = 0; j < p.n; j++) {
      const from = (o * p.rows + (p.index[j] as number)) * p.width;
      p.y.set(p.x.subarray(from, from + p.width), (o * p.n + j) * p.width);
    }
  }
});

const gatherRowsBwd = kernel<Layout & { dy: FloatArray; dx: FloatArray }>('gather_rows_bwd', (p) => {
  checkIndex(p);
  p.dx.fill(0);
  for (let o = 0; o < p.outer; o++) {
    for (let j = 0; j < p.n; j++) {
      const to = (o * p.rows + (p.index[j] as number)) * p.width;
      for (let i = 0; i < p.width; i++) (p.dx[to + i] as number) += p.dy[(o * p.n + j) * p.width + i] as number;
    }
  }
});

/**
 * Picks elements along an axis: result[..., j, ...] = x[..., index[j], ...]. An index may appear any number of times.
 *
 * @param x any shape
 * @param index int32 of one axis, each in [0, length of the axis)
 * @param axis default 0
 * @throws UamError `UAM_ARGUMENT` for an index out of range
 * @example gather(Tensor.from([10, 20, 30]), Tensor.from(Int32Array.of(2, 0)));   // [30, 10]
 */
export function gather(x: Tensor, index: Tensor, axis = 0): Tensor {
  requireTensor('gather', 'x', x);
  requireTensor('gather', 'index', index, ['int32']);
  requireShape('gather', 'index', index, ['n']);
  const layout = layoutOf('gather', x.shape, index, axis);
  const y = Tensor.empty(replaced(x.shape, axis, index.size), x.dtype, x.device);
  gatherRowsFwd({ ...layout, x: floats(x), y: floats(y) });
  return record('gather', [x], y, (dy) => {
    const dx = Tensor.empty(x.shape, x.dtype, x.device);
    gatherRowsBwd({ ...layout, dy: floats(dy), dx: floats(dx) });
    return [dx];
  });
}

/**
 * Adds elements up by index along an axis: result[..., r, ...] = the sum over j with index[j] = r of x[..., j, ...], in rising j;
 * zero where there is none. The gradient of `gather`, and the other way round.
 *
 * @param x its length along `axis` is that of `index`
 * @param index int32 of one axis, each in [0, length)
 * @param length length of the result's axis
 * @throws UamError `UAM_ARGUMENT` for an index out of range, `UAM_SHAPE` where `index` does not fit `x`
 * @example scatterAdd(Tensor.from([1, 2, 3]), Tensor.from(Int32Array.of(0, 1, 0)), 2);   // [4, 2]
 */
export function scatterAdd(x: Tensor, index: Tensor, length: number, axis = 0): Tensor {
  requireTensor('scatterAdd', 'x', x);
  requireTensor('scatterAdd', 'index', index, ['int32']);
  requireShape('scatterAdd', 'index', index, [x.shape[normalAxis('scatterAdd', axis, x.shape.length)] as number]);
  const shape = replaced(x.shape, axis, length);
  const layout = layoutOf('scatterAdd', shape, index, axis);
  const y = Tensor.empty(shape, x.dtype, x.device);
  gatherRowsBwd({ ...layout, dy: floats(x), dx: floats(y) });
  return record('scatterAdd', [x], y, (dy) => {
    const dx = Tensor.empty(x.shape, x.dtype, x.device);
    gatherRowsFwd({ ...layout, x: floats(dy), y: floats(dx) });
    return [dx];
  });
}

function replaced(shape: readonly number[], axis: number, length: number): number[] {
  const at = axis < 0 ? axis + shape.length : axis;
  return shape.map((n, i) => (i === at ? length : n));
}

function layoutOf(op: string, shape: readonly number[], index: Tensor, axis: number): Layout {
  const at = normalAxis(op, axis, shape.length);
  return {
    outer: sizeOf(shape.slice(0, at)),
    rows: shape[at] as number,
    width: sizeOf(shape.slice(at + 1)),
    n: index.size,
    index: index.memory as Int32Array,
  };
}
