import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { recordAll } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { requireEpsilon, rowsOf } from './layernorm.js';

interface RmsnormFwdParams {
  rows: number;
  width: number;
  eps: number;
  x: FloatArray;
  residual?: FloatArray | undefined;
  z?: FloatArray | undefined;
  weight?: FloatArray | undefined;
  out: FloatArray;
  residualOut?: FloatArray | undefined;
  rstd: FloatArray;
}

interface RmsnormBwdParams {
  rows: number;
  width: number;
  h: FloatArray;
  dOut: FloatArray;
  z?: FloatArray | undefined;
  weight?: FloatArray | undefined;
  rstd: FloatArray;
  dResidualOut?: FloatArray | undefined;
  dH?: FloatArray | undefined;
  dZ?: FloatArray | undefined;
  dWeight?: FloatArray | undefined;
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

const rmsnormFwd = kernel<RmsnormFwdParams>('rmsnorm_fwd', ({ rows, width, eps, x, residual, z, weight, out, residualOut, rstd }) => {
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    const h = (i: number) => (x[at + i] as number) + (residual?.[at + i] ?? 0);
    let squares = 0;
    for (let i = 0; i < width; i++) squares += h(i) ** 2;
    const r = 1 / Math.sqrt(squares / width + eps);
    rstd[row] = r;
    for (let i = 0; i < width; i++) {
      const gate = z ? (z[at + i] as number) / (1 + Math.exp(-(z[at + i] as number))) : 1;
      out[at + i] = h(i) * r * (weight?.[i] ?? 1) * gate;
      if (residualOut) residualOut[at + i] = h(i);
    }
  }
});

const rmsnormBwd = kernel<RmsnormBwdParams>('rmsnorm_bwd', ({ rows, width, h, dOut, z, weight, rstd, dResidualOut, dH, dZ, dWeight }) => {
  const weightSums = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    const r = rstd[row] as number;
    const normalised = (i: number) => (h[at + i] as number) * r;
    const gated = (i: number) => (dOut[at + i] as number) * (z ? (z[at + i] as number) * logistic(z[at + i] as number) : 1);
    const g = (i: number) => gated(i) * (weight?.[i] ?? 1);
    let meanGn = 0;
    for (let i = 0; i < width; i++) {
      meanGn += (g(i) * normalised(i)) / width;
      (weightSums[i] as number) += gated(i) * normalised(i);
    }
    for (let i = 0; i < width; i++) {
      if (dH) dH[at + i] = r * (g(i) - normalised(i) * meanGn) + (dResidualOut?.[at + i] ?? 0);
      if (dZ && z) {
        const gate = z[at + i] as number;
        const slope = logistic(gate) * (1 + gate * logistic(-gate));
        dZ[at + i] = (dOut[at + i] as number) * normalised(i) * (weight?.[i] ?? 1) * slope;
      }
    }
  }
  dWeight?.set(weightSums);
});

export interface RmsNormOptions {
  /** [width]; default ones. */
  weight?: Tensor | undefined;
  /** A gate of x's shape: the result is multiplied by silu(z). */
  z?: Tensor | undefined;
  /** Added to the mean square. Default 1e-5. */
  eps?: number;
}

function normalise(op: string, x: Tensor, residual: Tensor | undefined, options: RmsNormOptions): { out: Tensor; sum: Tensor } {
  requireTensor(op, 'x', x);
  requireOptions(op, options, ['weight', 'z', 'eps']);
  const { weight, z, eps = 1e-5 } = options;
  const { rows, width } = rowsOf(op, x);
  requireEpsilon(op, eps);
  if (weight) requireShape(op, 'weight', requireTensor(op, 'weight', weight), [width]);
  if (z) requireShape(op, 'z', requireTensor(op, 'z', z), x.shape);
  if (residual) requireShape(op, 'residual', requireTensor(op, 'residual', residual), x.shape);
  const dtype = requireSameDtype(op, x, residual, weight, z);
  const out = Tensor.empty(x.shape, dtype, x.device);
  const sum = residual ? Tensor.empty(x.shape, dtype, x.device) : x;
  const rstd = Tensor.empty([rows], dtype, x.device);
  const both = () => ({ rows, width, z: optionalFloats(z), weight: optionalFloats(weight), rstd: floats(rstd) });
  const residualOut = residual && floats(sum);
  rmsnormFwd({ ...both(), eps, x: floats(x), residual: optionalFloats(residual), out: floats(out), residualOut });
  recordAll(op, [x, residual, weight, z], residual ? [out, sum] : [out], ([dOut, dSum], [needsX, needsResidual, needsWeight, needsZ]) => {
    if (!dOut) return [dSum, residual && dSum];
    const dH = gradientOf(x, needsX || needsResidual);
    const dWeight = gradientOf(weight, needsWeight);
    const dZ = gradientOf(z, needsZ);
    rmsnormBwd({
      ...both(),
      h: floats(sum),
      dOut: floats(dOut),
      dResidualOut: optionalFloats(dSum),
      dH: optionalFloats(dH),
      dZ: optionalFloats(dZ),
      dWeight: optionalFloats(dWeight),
    });
    return [dH, residual && dH, dWeight, dZ];
  });
  return { out, sum };
}

/**
 * Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019), optionally gated as in Mamba blocks:
 * x / sqrt(mean(x^2) + eps) * weight * silu(z).
 *
 * @param x [..., width]
 * @returns a tensor of x's shape
 * @throws UamError `UAM_SHAPE` where weight is not [width] or z not of x's shape, `UAM_DTYPE`, `UAM_ARGUMENT` for unknown options
 * @example
 * rmsNorm(Tensor.from([3, 4], [1, 2]));   // [[0.8485, 1.1314]]
 */
export function rmsNorm(x: Tensor, options: RmsNormOptions = {}): Tensor {
  return normalise('rmsNorm', x, undefined, options).out;
}

/**
 * Adds a residual branch and normalises the sum, in one pass over memory: sum = x + residual, out = rmsNorm(sum). Gradients flow
 * back through both outputs.
 *
 * @param x [..., width]
 * @param residual of x's shape
 * @returns `out`, normalised, and `sum`, the residual branch for the next layer; both of x's shape
 * @throws UamError as `rmsNorm`, and `UAM_SHAPE` where residual is not of x's shape
 * @example
 * const { out, sum } = addRmsNorm(Tensor.from([1, 2], [1, 2]), Tensor.from([2, 2], [1, 2]));   // sum [[3, 4]]
 */
export function addRmsNorm(x: Tensor, residual: Tensor, options: RmsNormOptions = {}): { out: Tensor; sum: Tensor } {
  if (residual === undefined) throw mismatch('UAM_ARGUMENT', 'addRmsNorm: residual', 'a Tensor', 'undefined', 'use rmsNorm without one');
  return normalise('addRmsNorm', x, residual, options);
}
