import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { type Reduction, reductionIndex } from './reduction.js';

interface BceWithLogitsParams {
  reduction: number;
  rows: number;
  columns: number;
  x: FloatArray;
  target: FloatArray;
  posWeight: FloatArray | undefined;
  keep: Uint8Array | undefined;
  divisor: FloatArray;
}

interface BceWithLogitsFwdParams extends BceWithLogitsParams {
  loss: FloatArray;
}

interface BceWithLogitsBwdParams extends BceWithLogitsParams {
  dLoss: FloatArray;
  dX: FloatArray;
}

const bceWithLogitsFwd = kernel<BceWithLogitsFwdParams>(
  'bce_with_logits_fwd',
  ({ reduction, columns, x, target, posWeight, keep, divisor, loss }) => {
    let total = 0;
    let kept = 0;
    for (let i = 0; i < x.length; i++) {
      const z = x[i] as number;
      const t = target[i] as number;
      const positive = (posWeight ? (posWeight[i % columns] as number) : 1) * t;
      const counts = keep?.[i] !== 0;
      // softplus(-x) split at 0, so that nothing cancels
      const value = counts ? (z < 0 ? -positive * z : (1 - t) * z) + (1 - t + positive) * Math.log1p(Math.exp(-Math.abs(z))) : 0;
      if (reduction === 0) loss[i] = value;
      total += value;
      kept += counts ? 1 : 0;
    }
    divisor[0] = reduction === 1 ? kept : 1;
    if (reduction === 1) loss[0] = kept > 0 ? total / kept : 0;
    if (reduction === 2) loss[0] = total;
  },
);

const bceWithLogitsBwd = kernel<BceWithLogitsBwdParams>('bce_with_logits_bwd', (p) => {
  const { reduction, columns, x, target, posWeight, keep, dLoss, dX } = p;
  const divisor = p.divisor[0] as number;
  const shared = divisor > 0 ? (dLoss[0] as number) / divisor : 0;
  for (let i = 0; i < x.length; i++) {
    const z = x[i] as number;
    const t = target[i] as number;
    const positive = (posWeight ? (posWeight[i % columns] as number) : 1) * t;
    const g = reduction === 0 ? (dLoss[i] as number) : shared;
    dX[i] = keep?.[i] !== 0 ? g * ((1 - t) / (1 + Math.exp(-z)) - positive / (1 + Math.exp(z))) : 0;
  }
});

export interface BceWithLogitsOptions {
  /** Weight of the positives of each column, [columns] = the last axis of x. Default: 1. No gradient flows to it. */
  posWeight?: Tensor;
  /** uint8 of x's shape: elements where it is 0 count neither in the loss nor in the gradients. Default: all count. */
  keep?: Tensor;
  /** Default 'mean', over the elements that count; 0 where none does. */
  reduction?: Reduction;
}

/**
 * Binary cross entropy of logits: loss = (1 - t) x + (1 + (w - 1) t) softplus(-x) with t the target and w the column's positive
 * weight, which is -w t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)). Stable for any x.
 *
 * @param x logits of any shape
 * @param target of x's shape, values from 0 to 1. No gradient flows to it.
 * @returns a single number (shape []), or x's shape where `reduction` is 'none'
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const loss = bceWithLogits(Tensor.from([3, -2]), Tensor.from([1, 0]));
 */
export function bceWithLogits(x: Tensor, target: Tensor, options: BceWithLogitsOptions = {}): Tensor {
  const op = 'bceWithLogits';
  requireOptions(op, options, ['posWeight', 'keep', 'reduction']);
  const { posWeight, keep } = options;
  const reduction = reductionIndex(op, options.reduction ?? 'mean');
  requireTensor(op, 'x', x);
  requireShape(op, 'target', requireTensor(op, 'target', target), x.shape);
  const columns = x.shape.at(-1) ?? 1;
  if (posWeight) requireShape(op, 'posWeight', requireTensor(op, 'posWeight', posWeight), [columns]);
  if (keep) requireShape(op, 'keep', requireTensor(op, 'keep', keep, ['uint8']), x.shape);
  requireSameDtype(op, x, target, posWeight);
  const loss = Tensor.empty(reduction === 0 ? x.shape : [], x.dtype, x.device);
  const divisor = Tensor.empty([1], x.dtype, x.device);
  const shared = () => ({
    reduction,
    rows: columns > 0 ? x.size / columns : 0,
    columns,
    x: floats(x),
    target: floats(target),
    posWeight: optionalFloats(posWeight),
    keep: keep?.memory as Uint8Array | undefined,
    divisor: floats(divisor),
  });
  bceWithLogitsFwd({ ...shared(), loss: floats(loss) });
  return record(op, [x], loss, (dLoss) => {
    const dX = Tensor.empty(x.shape, x.dtype, x.device);
    bceWithLogitsBwd({ ...shared(), dLoss: floats(dLoss), dX: floats(dX) });
    return [dX];
  });
}
