import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { broadcastShape, broadcastStrides, mergeAxes } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireSameDtype, requireTensor } from './check.js';
import { sumTo } from './reduce.js';
import { int32, walk } from './walk.js';

interface WhereParams {
  rank: number;
  n: number;
  sizeMask: number;
  sizeA: number;
  sizeB: number;
  shape: Int32Array;
  stridesMask: Int32Array;
  stridesA: Int32Array;
  stridesB: Int32Array;
  mask: Uint8Array;
  a: FloatArray;
  b: FloatArray;
  y: FloatArray;
}

const whereKernel = kernel<WhereParams>('where', ({ shape, stridesMask, stridesA, stridesB, mask, a, b, y }) => {
  walk(shape, [stridesMask, stridesA, stridesB], (flat, [m, at, bt]) => {
    y[flat] = (mask[m as number] ? a[at as number] : b[bt as number]) as number;
  });
});

function choose(mask: Tensor, a: Tensor, b: Tensor): Tensor {
  const outShape = broadcastShape('where', broadcastShape('where', mask.shape, a.shape), b.shape);
  const { shape, strides } = mergeAxes(
    outShape,
    [mask, a, b].map((tensor) => broadcastStrides(tensor.shape, outShape)),
  );
  const y = Tensor.empty(outShape, a.dtype, a.device);
  whereKernel({
    rank: shape.length,
    n: y.size,
    sizeMask: mask.size,
    sizeA: a.size,
    sizeB: b.size,
    shape: int32(shape),
    stridesMask: int32(strides[0] as number[]),
    stridesA: int32(strides[1] as number[]),
    stridesB: int32(strides[2] as number[]),
    mask: mask.memory as Uint8Array,
    a: floats(a),
    b: floats(b),
    y: floats(y),
  });
  return y;
}

/**
 * Elements of `a` where `mask` is not 0, else those of `b`; the three broadcast together.
 *
 * @param mask uint8
 * @throws UamError `UAM_SHAPE` where the shapes do not broadcast
 * @example where(Tensor.from(Uint8Array.of(1, 0)), Tensor.from([1, 2]), Tensor.from([3, 4]));   // [1, 4]
 */
export function where(mask: Tensor, a: Tensor, b: Tensor): Tensor {
  requireTensor('where', 'mask', mask, ['uint8']);
  requireTensor('where', 'a', a);
  requireTensor('where', 'b', b);
  requireSameDtype('where', a, b);
  return record('where', [a, b], choose(mask, a, b), (dy, [needsA, needsB]) => {
    const zero = Tensor.zeros([], dy.dtype, dy.device);
    return [needsA ? sumTo(choose(mask, dy, zero), a.shape) : undefined, needsB ? sumTo(choose(mask, zero, dy), b.shape) : undefined];
  });
}
