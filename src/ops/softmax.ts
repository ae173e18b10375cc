import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { normalAxis, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireTensor } from './check.js';

interface Layout {
  outer: number;
  axis: number;
  inner: number;
  logarithm: boolean;
}

interface SoftmaxFwdParams extends Layout {
  x: FloatArray;
  out: FloatArray;
}

interface SoftmaxBwdParams extends Layout {
  out: FloatArray;
  dOut: FloatArray;
  dX: FloatArray;
}

/** Calls body(index) for every column along the axis; index(a) is where its element a lies. */
function forColumns({ outer, axis, inner }: Layout, body: (index: (a: number) => number) => void): void {
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) body((a) => (o * axis + a) * inner + i);
}

const softmaxFwd = kernel<SoftmaxFwdParams>('softmax_fwd', ({ x, out, ...layout }) => {
  const { axis, logarithm } = layout;
  forColumns(layout, (index) => {
    let top = Number.NEGATIVE_INFINITY;
    for (let a = 0; a < axis; a++) top = Math.max(top, x[index(a)] as number);
    let total = 0;
    for (let a = 0; a < axis; a++) total += Math.exp((x[index(a)] as number) - top);
    for (let a = 0; a < axis; a++) {
      const shifted = (x[index(a)] as number) - top;
      out[index(a)] = logarithm ? shifted - Math.log(total) : Math.exp(shifted) / total;
    }
  });
});

const softmaxBwd = kernel<SoftmaxBwdParams>('softmax_bwd', ({ out, dOut, dX, ...layout }) => {
  const { axis, logarithm } = layout;
  forColumns(layout, (index) => {
    let total = 0;
    for (let a = 0; a < axis; a++) total += (dOut[index(a)] as number) * (logarithm ? 1 : (out[index(a)] as number));
    for (let a = 0; a < axis; a++) {
      const y = out[index(a)] as number;
      const dy = dOut[index(a)] as number;
      dX[index(a)] = logarithm ? dy - Math.exp(y) * total : y * (dy - total);
    }
  });
});

function along(op: string, x: Tensor, axis: number, logarithm: boolean): Tensor {
  requireTensor(op, 'x', x);
  const at = normalAxis(op, axis, x.shape.length);
  const layout: Layout = {
    outer: sizeOf(x.shape.slice(0, at)),
    axis: x.shape[at] as number,
    inner: sizeOf(x.shape.slice(at + 1)),
    logarithm,
  };
  const out = Tensor.empty(x.shape, x.dtype, x.device);
  softmaxFwd({ ...layout, x: floats(x), out: floats(out) });
  return record(op, [x], out, (dOut) => {
    const dX = Tensor.empty(x.shape, x.dtype, x.device);
    softmaxBwd({ ...layout, out: floats(out), dOut: floats(dOut), dX: floats(dX) });
    return [dX];
  });
}

/**
 * e^x / sum(e^x) along an axis, computed from x - max(x), so that no x is too large. A column that holds NaN or +Infinity, or
 * nothing but -Infinity, comes out NaN throughout, as that formula gives.
 *
 * @param x any shape of at least one axis
 * @param axis counted from the start, or from the end where negative. Default the last
 * @returns a tensor of x's shape
 * @throws UamError `UAM_ARGUMENT` where x has no such axis, `UAM_DTYPE`
 * @example
 * softmax(Tensor.from([0, Math.log(3)]));   // [0.25, 0.75]
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return along('softmax', x, axis, false);
}

/**
 * The logarithm of `softmax`, (x - max(x)) - log(sum(e^(x - max(x)))), which keeps its accuracy where softmax vanishes.
 *
 * @param x any shape of at least one axis
 * @param axis counted from the start, or from the end where negative. Default the last
 * @returns a tensor of x's shape
 * @throws UamError `UAM_ARGUMENT` where x has no such axis, `UAM_DTYPE`
 * @example
 * logSoftmax(Tensor.from([0, 0]));   // [-0.6931, -0.6931]
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return along('logSoftmax', x, axis, true);
}
