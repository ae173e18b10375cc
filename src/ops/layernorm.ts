import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';

interface LayernormFwdParams {
  rows: number;
  width: number;
  eps: number;
  x: FloatArray;
  weight?: FloatArray | undefined;
  bias?: FloatArray | undefined;
  out: FloatArray;
  mean: FloatArray;
  rstd: FloatArray;
}

interface LayernormBwdParams {
  rows: number;
  width: number;
  x: FloatArray;
  dOut: FloatArray;
  weight?: FloatArray | undefined;
  mean: FloatArray;
  rstd: FloatArray;
  dX?: FloatArray | undefined;
  dWeight?: FloatArray | undefined;
  dBias?: FloatArray | undefined;
}

const layernormFwd = kernel<LayernormFwdParams>('layernorm_fwd', ({ rows, width, eps, x, weight, bias, out, mean, rstd }) => {
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    let total = 0;
    for (let i = 0; i < width; i++) total += x[at + i] as number;
    const m = total / width;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += ((x[at + i] as number) - m) ** 2;
    const r = 1 / Math.sqrt(squares / width + eps);
    mean[row] = m;
    rstd[row] = r;
    for (let i = 0; i < width; i++) out[at + i] = ((x[at + i] as number) - m) * r * (weight?.[i] ?? 1) + (bias?.[i] ?? 0);
  }
});

// The mean is computed again: in float32 the saved one is too coarse for rows whose mean is large beside their spread.
const layernormBwd = kernel<LayernormBwdParams>('layernorm_bwd', ({ rows, width, x, dOut, weight, rstd, dX, dWeight, dBias }) => {
  const weightSums = new Float64Array(width);
  const biasSums = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    const r = rstd[row] as number;
    let mean = 0;
    for (let i = 0; i < width; i++) mean += (x[at + i] as number) / width;
    const normalised = (i: number) => ((x[at + i] as number) - mean) * r;
    const g = (i: number) => (dOut[at + i] as number) * (weight?.[i] ?? 1);
    let meanG = 0;
    let meanGn = 0;
    for (let i = 0; i < width; i++) {
      meanG += g(i) / width;
      meanGn += (g(i) * normalised(i)) / width;
      (weightSums[i] as number) += (dOut[at + i] as number) * normalised(i);
      (biasSums[i] as number) += dOut[at + i] as number;
    }
    if (dX) for (let i = 0; i < width; i++) dX[at + i] = r * (g(i) - meanG - normalised(i) * meanGn);
  }
  dWeight?.set(weightSums);
  dBias?.set(biasSums);
});

export interface LayerNormOptions {
  /** [width]; default ones. */
  weight?: Tensor | undefined;
  /** [width]; default zeros. */
  bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): (x - mean) / sqrt(variance + eps) * weight + bias, with the
 * mean and the (biased) variance of each row. Accurate also where the mean is large beside the spread.
 *
 * @param x [..., width]
 * @returns a tensor of x's shape
 * @throws UamError `UAM_SHAPE` where weight or bias is not [width], `UAM_DTYPE`, `UAM_ARGUMENT` for unknown options
 * @example
 * layerNorm(Tensor.from([1, 2, 3, 4], [2, 2]), { weight: Tensor.from([1, 1]) });   // [[-1, 1], [-1, 1]], nearly
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  requireTensor('layerNorm', 'x', x);
  requireOptions('layerNorm', options, ['weight', 'bias', 'eps']);
  const { weight, bias, eps = 1e-5 } = options;
  const { width, rows } = rowsOf('layerNorm', x);
  requireEpsilon('layerNorm', eps);
  if (weight) requireShape('layerNorm', 'weight', requireTensor('layerNorm', 'weight', weight), [width]);
  if (bias) requireShape('layerNorm', 'bias', requireTensor('layerNorm', 'bias', bias), [width]);
  const dtype = requireSameDtype('layerNorm', x, weight, bias);
  const out = Tensor.empty(x.shape, dtype, x.device);
  const mean = Tensor.empty([rows], dtype, x.device);
  const rstd = Tensor.empty([rows], dtype, x.device);
  const both = () => ({ rows, width, x: floats(x), weight: optionalFloats(weight), mean: floats(mean), rstd: floats(rstd) });
  layernormFwd({ ...both(), eps, bias: optionalFloats(bias), out: floats(out) });
  return record('layerNorm', [x, weight, bias], out, (dOut, [needsX, needsWeight, needsBias]) => {
    const dX = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    layernormBwd({ ...both(), dOut: floats(dOut), dX: optionalFloats(dX), dWeight: optionalFloats(dWeight), dBias: optionalFloats(dBias) });
    return [dX, dWeight, dBias];
  });
}

/** The last axis of a tensor that has one, and how many rows of it there are. */
export function rowsOf(op: string, x: Tensor): { rows: number; width: number } {
  const width = x.shape.at(-1);
  if (width === undefined) throw mismatch('UAM_SHAPE', `${op}: x`, '[..., width]', '[]');
  return { rows: sizeOf(x.shape.slice(0, -1)), width };
}

export function requireEpsilon(op: string, eps: unknown): void {
  if (!(typeof eps === 'number' && eps >= 0 && eps < Number.POSITIVE_INFINITY)) {
    throw mismatch('UAM_ARGUMENT', `${op}: eps`, 'a finite number >= 0', String(eps));
  }
}
