import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { rejectIndex } from './index_error.js';
import { type Reduction, reductionIndex } from './reduction.js';

interface CrossEntropyParams {
  reduction: number;
  rows: number;
  classes: number;
  ignoreIndex: number;
  labelSmoothing: number;
  logits: FloatArray;
  target: Int32Array;
  classWeight: FloatArray | undefined;
  divisor: FloatArray;
}

interface CrossEntropyFwdParams extends CrossEntropyParams {
  loss: FloatArray;
}

interface CrossEntropyBwdParams extends CrossEntropyParams {
  dLoss: FloatArray;
  dLogits: FloatArray;
}

/** Logarithms of the softmax of row `row`. */
function logSoftmaxOfRow({ logits, classes }: CrossEntropyParams, row: number): number[] {
  const x = Array.from(logits.subarray(row * classes, (row + 1) * classes));
  const highest = Math.max(...x);
  const logSum = Math.log(x.reduce((total, value) => total + Math.exp(value - highest), 0));
  return x.map((value) => value - highest - logSum);
}

/** The class of row `row`, or undefined where it is ignored. */
function targetOfRow(name: string, { target, classes, ignoreIndex }: CrossEntropyParams, row: number): number | undefined {
  const y = target[row] as number;
  if (y === ignoreIndex) return undefined;
  if (y < 0 || y >= classes) rejectIndex(name, 'target', row, y, classes, ', or ignoreIndex');
  return y;
}

const crossEntropyFwd = kernel<CrossEntropyFwdParams>('cross_entropy_fwd', (p) => {
  const { rows, classes, labelSmoothing, classWeight, loss } = p;
  const weight = (c: number) => (classWeight ? (classWeight[c] as number) : 1);
  let total = 0;
  let kept = 0;
  for (let row = 0; row < rows; row++) {
    const y = targetOfRow('cross_entropy_fwd', p, row);
    let value = 0;
    if (y !== undefined) {
      const logP = logSoftmaxOfRow(p, row);
      value = (1 - labelSmoothing) * weight(y) * -(logP[y] as number);
      if (labelSmoothing !== 0) logP.forEach((l, c) => void (value += (labelSmoothing / classes) * weight(c) * -l));
      kept += weight(y);
    }
    if (p.reduction === 0) loss[row] = value;
    total += value;
  }
  p.divisor[0] = p.reduction === 1 ? kept : 1;
  if (p.reduction === 1) loss[0] = kept > 0 ? total / kept : total * 0;
  if (p.reduction === 2) loss[0] = total;
});

const crossEntropyBwd = kernel<CrossEntropyBwdParams>('cross_entropy_bwd', (p) => {
  const { rows, classes, labelSmoothing, classWeight, dLoss, dLogits } = p;
  const weight = (c: number) => (classWeight ? (classWeight[c] as number) : 1);
  const divisor = p.divisor[0] as number;
  let totalWeight = 0;
  for (let c = 0; c < classes; c++) totalWeight += weight(c);
  for (let row = 0; row < rows; row++) {
    const y = targetOfRow('cross_entropy_bwd', p, row);
    const g = p.reduction === 0 ? (dLoss[row] as number) : divisor > 0 ? (dLoss[0] as number) / divisor : 0;
    const logP = y === undefined ? [] : logSoftmaxOfRow(p, row);
    for (let c = 0; c < classes; c++) {
      const at = row * classes + c;
      if (y === undefined) {
        dLogits[at] = 0;
        continue;
      }
      const probability = Math.exp(logP[c] as number);
      const hit = (1 - labelSmoothing) * weight(y) * (probability - (c === y ? 1 : 0));
      const spread = (labelSmoothing / classes) * (probability * totalWeight - weight(c));
      dLogits[at] = g * (hit + spread);
    }
  }
});

export interface CrossEntropyOptions {
  /** Weight of each class, [classes]. Default: 1. No gradient flows to it. */
  classWeight?: Tensor;
  /** Rows with this target count neither in the loss nor in the gradients. Default -100. */
  ignoreIndex?: number;
  /** Share of every target that is spread evenly over all classes, 0 to 1 (Szegedy et al. 2016). Default 0. */
  labelSmoothing?: number;
  /** Default 'mean': the sum of the losses over the sum of the weights of their targets. */
  reduction?: Reduction;
}

/**
 * Cross entropy of logits against class numbers: with p = softmax(logits), w the class weights, s the label smoothing,
 * loss = (1 - s) w[y] (-log p[y]) + s / classes * sum_c w[c] (-log p[c]), as in PyTorch; but where every target is ignored the
 * mean is 0 with zero gradients, not NaN.
 *
 * @param logits [..., classes], channels last
 * @param target int32 [...], each 0 .. classes - 1 or `ignoreIndex`
 * @returns a single number (shape []), or [...] where `reduction` is 'none'
 * @throws UamError `UAM_ARGUMENT` for a target that is no class, naming its place; `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const loss = crossEntropy(Tensor.from([2, 0, 0, 1], [2, 2]), Tensor.from(Int32Array.of(0, 1)));
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const op = 'crossEntropy';
  requireOptions(op, options, ['classWeight', 'ignoreIndex', 'labelSmoothing', 'reduction']);
  const { classWeight, ignoreIndex = -100, labelSmoothing = 0 } = options;
  const reduction = reductionIndex(op, options.reduction ?? 'mean');
  requireTensor(op, 'logits', logits);
  requireTensor(op, 'target', target, ['int32']);
  const classes = logits.shape.at(-1) ?? 0;
  if (classes < 1) throw mismatch('UAM_SHAPE', `${op}: logits`, '[..., classes] with at least one class', `[${logits.shape}]`);
  requireShape(op, 'target', target, logits.shape.slice(0, -1));
  if (classWeight) requireShape(op, 'classWeight', requireTensor(op, 'classWeight', classWeight), [classes]);
  requireSameDtype(op, logits, classWeight);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw mismatch('UAM_ARGUMENT', `${op}: labelSmoothing`, 'between 0 and 1', String(labelSmoothing));
  if (!Number.isInteger(ignoreIndex)) throw new UamError('UAM_ARGUMENT', `${op}: ignoreIndex must be an integer, received ${ignoreIndex}`);
  const loss = Tensor.empty(reduction === 0 ? target.shape : [], logits.dtype, logits.device);
  const divisor = Tensor.empty([1], logits.dtype, logits.device);
  const shared = () => ({
    reduction,
    rows: target.size,
    classes,
    ignoreIndex,
    labelSmoothing,
    logits: floats(logits),
    target: target.memory as Int32Array,
    classWeight: optionalFloats(classWeight),
    divisor: floats(divisor),
  });
  crossEntropyFwd({ ...shared(), loss: floats(loss) });
  return record(op, [logits], loss, (dLoss) => {
    const dLogits = Tensor.empty(logits.shape, logits.dtype, logits.device);
    crossEntropyBwd({ ...shared(), dLoss: floats(dLoss), dLogits: floats(dLogits) });
    return [dLogits];
  });
}
