import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { normsOf } from './l2_norm.js';

interface AdamwParams {
  n: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  gradientScale: number;
  step: number;
  g: FloatArray;
  p: FloatArray;
  m: FloatArray;
  v: FloatArray;
  vMax: FloatArray | undefined;
}

const adamwKernel = kernel<AdamwParams>(
  'adamw',
  ({ n, learningRate, beta1, beta2, eps, weightDecay, gradientScale, step, g, p, m, v, vMax }) => {
    for (let i = 0; i < n; i++) {
      const gradient = (g[i] as number) * gradientScale;
      const first = beta1 * (m[i] as number) + (1 - beta1) * gradient;
      const second = beta2 * (v[i] as number) + (1 - beta2) * gradient * gradient;
      let scale = second;
      if (vMax) {
        scale = Math.max(vMax[i] as number, second);
        vMax[i] = scale;
      }
      m[i] = first;
      v[i] = second;
      const direction = first / (1 - beta1 ** step) / (Math.sqrt(scale / (1 - beta2 ** step)) + eps);
      p[i] = (p[i] as number) * (1 - learningRate * weightDecay) - learningRate * direction;
    }
  },
);

/** What AdamW remembers between steps: the moments of each parameter's gradient, and how many steps were taken. */
export interface AdamwState {
  step: number;
  m: Tensor[];
  v: Tensor[];
  /** The greatest v so far, with amsgrad (Reddi et al. 2018). */
  vMax: Tensor[] | undefined;
}

/**
 * The state before the first step: zeros, kept beyond the scope they are made in.
 *
 * @example
 * const state = adamwState([Tensor.zeros([4, 3]), Tensor.zeros([4])]);
 */
export function adamwState(parameters: readonly Tensor[], options: { amsgrad?: boolean } = {}): AdamwState {
  requireOptions('adamwState', options, ['amsgrad']);
  const zeros = () => parameters.map((parameter) => Tensor.zeros(parameter.shape, parameter.dtype, parameter.device).keep());
  return { step: 0, m: zeros(), v: zeros(), vMax: options.amsgrad ? zeros() : undefined };
}

export interface AdamwOptions {
  /** Default 1e-3. */
  learningRate?: number;
  /** Decay of the two moments. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Default 1e-8. */
  eps?: number;
  /** Decoupled from the gradient; one number for all, or one per parameter. Default 0.01. */
  weightDecay?: number | readonly number[];
  /** Where the norm of all gradients together exceeds this, they are scaled by clipNorm / (norm + 1e-6). Default: no clipping. */
  clipNorm?: number;
  /** Names of the parameters, for errors. Default: their numbers. */
  names?: readonly string[];
}

function checkOptions(parameters: readonly Tensor[], options: AdamwOptions) {
  const op = 'adamwStep';
  requireOptions(op, options, ['learningRate', 'betas', 'eps', 'weightDecay', 'clipNorm', 'names']);
  const { learningRate = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01, clipNorm = Number.POSITIVE_INFINITY } = options;
  const decays = typeof weightDecay === 'number' ? parameters.map(() => weightDecay) : weightDecay;
  if (decays.length !== parameters.length) {
    throw mismatch(
      'UAM_ARGUMENT',
      `${op}: weightDecay`,
      `a number, or one for each of the ${parameters.length} parameters`,
      `${decays.length}`,
    );
  }
  for (const [name, values] of Object.entries({ learningRate: [learningRate], eps: [eps], weightDecay: decays })) {
    const wrong = values.find((value) => !(value >= 0 && Number.isFinite(value)));
    if (wrong !== undefined) throw mismatch('UAM_ARGUMENT', `${op}: ${name}`, 'a finite number >= 0', String(wrong));
  }
  if (betas.length !== 2 || !betas.every((beta) => beta >= 0 && beta < 1)) {
    throw mismatch('UAM_ARGUMENT', `${op}: betas`, 'two numbers, at least 0 and below 1', `[${betas}]`);
  }
  if (!(clipNorm > 0)) throw mismatch('UAM_ARGUMENT', `${op}: clipNorm`, 'a number > 0', String(clipNorm));
  return { learningRate, beta1: betas[0], beta2: betas[1], eps, decays, clipNorm };
}

/** The norm of each gradient, 0 where there is none. */
function gradientNorms(gradients: readonly (Tensor | undefined)[]): number[] {
  const norms = gradients.map(() => 0);
  const present = gradients.flatMap((gradient, i) => (gradient ? [{ gradient, i }] : []));
  for (const kind of new Set(present.map(({ gradient }) => `${gradient.device} ${gradient.dtype}`))) {
    const alike = present.filter(({ gradient }) => `${gradient.device} ${gradient.dtype}` === kind);
    const found = normsOf(alike.map(({ gradient }) => gradient));
    alike.forEach(({ i }, k) => void (norms[i] = found[k] as number));
  }
  return norms;
}

/**
 * One AdamW step (Loshchilov and Hutter 2019), in place: p shrinks by learningRate * weightDecay * p, then moves by
 * -learningRate * mhat / (sqrt(vhat) + eps). Gradients are not changed.
 *
 * Nothing is updated where a gradient is NaN or infinite: that is an error which names the parameter. Skip the step, or mend the
 * model, in the caller.
 *
 * @param parameters the tensors to change
 * @param gradients one per parameter, of its shape; a parameter without one (undefined) stays as it is
 * @param state from `adamwState`, changed in place
 * @returns the norm of all gradients together, before clipping
 * @throws UamError `UAM_NONFINITE` for gradients that are not finite; `UAM_ARGUMENT`, `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const weight = Tensor.from([1, 2]).requireGrad();
 * const state = adamwState([weight]);
 * backward(sum(square(weight)));
 * adamwStep([weight], [weight.grad], state, { learningRate: 0.1, clipNorm: 1 });
 */
export function adamwStep(
  parameters: readonly Tensor[],
  gradients: readonly (Tensor | undefined)[],
  state: AdamwState,
  options: AdamwOptions = {},
): number {
  const op = 'adamwStep';
  const { learningRate, beta1, beta2, eps, decays, clipNorm } = checkOptions(parameters, options);
  const name = (i: number) => options.names?.[i] ?? String(i);
  for (const [what, list] of Object.entries({
    gradients,
    'state.m': state.m,
    'state.v': state.v,
    'state.vMax': state.vMax ?? parameters,
  })) {
    if (list.length !== parameters.length)
      throw mismatch('UAM_ARGUMENT', `${op}: ${what}`, `one for each of the ${parameters.length} parameters`, `${list.length}`);
  }
  parameters.forEach((parameter, i) => {
    requireTensor(op, `parameter ${name(i)}`, parameter);
    for (const [what, tensor] of Object.entries({ gradient: gradients[i], m: state.m[i], v: state.v[i], vMax: state.vMax?.[i] })) {
      if (tensor)
        requireShape(op, `${what} of parameter ${name(i)}`, requireTensor(op, `${what} of parameter ${name(i)}`, tensor), parameter.shape);
      requireSameDtype(`${op}: parameter ${name(i)}`, parameter, tensor);
    }
  });
  const norms = gradientNorms(gradients);
  const bad = norms.findIndex((norm) => !Number.isFinite(norm));
  if (bad >= 0)
    throw new UamError('UAM_NONFINITE', `${op}: the gradient of parameter ${name(bad)} has norm ${norms[bad]}; nothing was updated`);
  const norm = Math.sqrt(norms.reduce((sum, own) => sum + own * own, 0));
  const gradientScale = Math.min(1, clipNorm / (norm + 1e-6));
  state.step++;
  parameters.forEach((parameter, i) => {
    const gradient = gradients[i];
    if (!gradient) return;
    adamwKernel({
      ...{ n: parameter.size, learningRate, beta1, beta2, eps, weightDecay: decays[i] as number, gradientScale, step: state.step },
      ...{ g: floats(gradient), p: floats(parameter), m: floats(state.m[i] as Tensor), v: floats(state.v[i] as Tensor) },
      vMax: optionalFloats(state.vMax?.[i]),
    });
  });
  return norm;
}
