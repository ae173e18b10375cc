import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { format } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';

interface SoftDiceParams {
  activation: number;
  perSample: boolean;
  squared: boolean;
  smooth: number;
  eps: number;
  samples: number;
  pixels: number;
  channels: number;
  x: FloatArray;
  target: FloatArray;
  overlap: FloatArray;
  extent: FloatArray;
}

interface SoftDiceFwdParams extends SoftDiceParams {
  loss: FloatArray;
}

interface SoftDiceBwdParams extends SoftDiceParams {
  dLoss: FloatArray;
  dX: FloatArray;
}

/** In the order of `DiceActivation` in native/kernels/soft_dice.h. */
const activations = ['sigmoid', 'softmax'] as const;

/** Probabilities of the channels of one pixel. */
function probabilities({ activation, channels, x }: SoftDiceParams, pixel: number): number[] {
  const logits = Array.from(x.subarray(pixel * channels, (pixel + 1) * channels));
  if (activation === 0) return logits.map((value) => 1 / (1 + Math.exp(-value)));
  const highest = Math.max(...logits);
  const e = logits.map((value) => Math.exp(value - highest));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / total);
}

/** The group that a channel of a pixel counts in. */
function groupOf({ perSample, pixels, channels }: SoftDiceParams, pixel: number, channel: number): number {
  return perSample ? Math.floor(pixel / pixels) * channels + channel : channel;
}

const softDiceFwd = kernel<SoftDiceFwdParams>('soft_dice_fwd', (p) => {
  const groups = p.overlap.length;
  const overlap = new Float64Array(groups);
  const extent = new Float64Array(groups);
  for (let pixel = 0; pixel < p.samples * p.pixels; pixel++) {
    probabilities(p, pixel).forEach((probability, c) => {
      const t = p.target[pixel * p.channels + c] as number;
      const group = groupOf(p, pixel, c);
      (overlap[group] as number) += probability * t;
      (extent[group] as number) += p.squared ? probability * probability + t * t : probability + t;
    });
  }
  let total = 0;
  for (let group = 0; group < groups; group++) {
    total += (2 * (overlap[group] as number) + p.smooth) / ((extent[group] as number) + p.smooth + p.eps);
  }
  p.overlap.set(overlap);
  p.extent.set(extent);
  p.loss[0] = groups > 0 ? 1 - total / groups : 0;
});

const softDiceBwd = kernel<SoftDiceBwdParams>('soft_dice_bwd', (p) => {
  const g = -(p.dLoss[0] as number) / p.overlap.length;
  for (let pixel = 0; pixel < p.samples * p.pixels; pixel++) {
    const probability = probabilities(p, pixel);
    const slope = probability.map((value, c) => {
      const group = groupOf(p, pixel, c);
      const t = p.target[pixel * p.channels + c] as number;
      const extent = (p.extent[group] as number) + p.smooth + p.eps;
      const dice = (2 * (p.overlap[group] as number) + p.smooth) / extent;
      return (g / extent) * (2 * t - dice * (p.squared ? 2 * value : 1));
    });
    const mean = slope.reduce((total, value, c) => total + value * (probability[c] as number), 0);
    slope.forEach((value, c) => {
      const own = probability[c] as number;
      p.dX[pixel * p.channels + c] = own * (p.activation === 0 ? value * (1 - own) : value - mean);
    });
  }
});

export interface SoftDiceOptions {
  /** How logits become probabilities: each channel on its own, or a softmax over channels. Default 'sigmoid'. */
  activation?: 'sigmoid' | 'softmax';
  /** One Dice per channel of every sample (default), or one per channel of the whole batch. */
  perSample?: boolean;
  /** Squares probabilities and targets in the denominator (Milletari et al. 2016). Default false. */
  squared?: boolean;
  /** Added to numerator and denominator. Default 1. */
  smooth?: number;
  /** Added to the denominator. Default 1e-7. */
  eps?: number;
}

/**
 * Soft Dice loss: 1 - mean of (2 sum p t + smooth) / (sum p + sum t + smooth + eps), where sums run over the pixels of a channel
 * (of one sample, or of the batch) and the mean over channels (and samples).
 *
 * @param x logits [samples, ..., channels], channels last
 * @param target of x's shape, values from 0 to 1. No gradient flows to it.
 * @returns a single number (shape []); NaN for an empty group where smooth and eps are both 0
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`, `UAM_ARGUMENT`
 * @example
 * const loss = softDice(Tensor.from([4, -4, -4, 4], [1, 2, 2]), Tensor.from([1, 0, 0, 1], [1, 2, 2]), { activation: 'softmax' });
 */
export function softDice(x: Tensor, target: Tensor, options: SoftDiceOptions = {}): Tensor {
  const op = 'softDice';
  requireOptions(op, options, ['activation', 'perSample', 'squared', 'smooth', 'eps']);
  const { perSample = true, squared = false, smooth = 1, eps = 1e-7 } = options;
  const activation = activations.indexOf(options.activation ?? 'sigmoid');
  if (activation < 0) throw mismatch('UAM_ARGUMENT', `${op}: activation`, "'sigmoid' or 'softmax'", String(options.activation));
  if (!(smooth >= 0 && eps >= 0)) throw mismatch('UAM_ARGUMENT', `${op}: smooth and eps`, 'at least 0', `${smooth} and ${eps}`);
  requireTensor(op, 'x', x);
  requireShape(op, 'target', requireTensor(op, 'target', target), x.shape);
  requireSameDtype(op, x, target);
  if (x.shape.length < 2) throw mismatch('UAM_SHAPE', `${op}: x`, '[samples, ..., channels]', format(x.shape));
  const samples = x.shape[0] as number;
  const channels = x.shape.at(-1) as number;
  const pixels = x.shape.slice(1, -1).reduce((a, b) => a * b, 1);
  const groups = perSample ? samples * channels : channels;
  const loss = Tensor.empty([], x.dtype, x.device);
  const overlap = Tensor.empty([groups], x.dtype, x.device);
  const extent = Tensor.empty([groups], x.dtype, x.device);
  const shared = () => ({
    ...{ activation, perSample, squared, smooth, eps, samples, pixels, channels },
    ...{ x: floats(x), target: floats(target), overlap: floats(overlap), extent: floats(extent) },
  });
  softDiceFwd({ ...shared(), loss: floats(loss) });
  return record(op, [x], loss, (dLoss) => {
    const dX = Tensor.empty(x.shape, x.dtype, x.device);
    softDiceBwd({ ...shared(), dLoss: floats(dLoss), dX: floats(dX) });
    return [dX];
  });
}
