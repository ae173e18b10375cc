import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { format, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';

/** Channels are those of one group. */
interface Groups {
  batch: number;
  pixels: number;
  groups: number;
  channels: number;
  x: FloatArray;
  weight: FloatArray | undefined;
  mean: FloatArray;
  rstd: FloatArray;
}

/** Calls `visit` with every element's offset and its channel (of all groups). */
function eachOfGroup(p: Groups, n: number, group: number, visit: (at: number, channel: number) => void): void {
  for (let pixel = 0; pixel < p.pixels; pixel++) {
    for (let channel = group * p.channels; channel < (group + 1) * p.channels; channel++) {
      visit((n * p.pixels + pixel) * p.groups * p.channels + channel, channel);
    }
  }
}

const groupnormFwd = kernel<Groups & { eps: number; bias: FloatArray | undefined; y: FloatArray }>('groupnorm_fwd', (p) => {
  const count = p.pixels * p.channels;
  for (let n = 0; n < p.batch; n++) {
    for (let group = 0; group < p.groups; group++) {
      let mean = 0;
      let variance = 0;
      eachOfGroup(p, n, group, (at) => {
        mean += (p.x[at] as number) / count;
      });
      eachOfGroup(p, n, group, (at) => {
        variance += ((p.x[at] as number) - mean) ** 2 / count;
      });
      const rstd = 1 / Math.sqrt(variance + p.eps);
      p.mean[n * p.groups + group] = mean;
      p.rstd[n * p.groups + group] = rstd;
      eachOfGroup(p, n, group, (at, channel) => {
        p.y[at] = ((p.x[at] as number) - mean) * rstd * (p.weight?.[channel] ?? 1) + (p.bias?.[channel] ?? 0);
      });
    }
  }
});

type GroupnormBwdParams = Groups & {
  dy: FloatArray;
  dx: FloatArray | undefined;
  dWeight: FloatArray | undefined;
  dBias: FloatArray | undefined;
};

const groupnormBwd = kernel<GroupnormBwdParams>('groupnorm_bwd', (p) => {
  const weightSums = new Float64Array(p.groups * p.channels);
  const biasSums = new Float64Array(p.groups * p.channels);
  const count = p.pixels * p.channels;
  for (let n = 0; n < p.batch; n++) {
    for (let group = 0; group < p.groups; group++) {
      const rstd = p.rstd[n * p.groups + group] as number;
      const xhat = (at: number) => ((p.x[at] as number) - (p.mean[n * p.groups + group] as number)) * rstd;
      const slope = (at: number, channel: number) => (p.weight?.[channel] ?? 1) * (p.dy[at] as number);
      let average = 0;
      let averageDot = 0;
      eachOfGroup(p, n, group, (at, channel) => {
        average += slope(at, channel) / count;
        averageDot += (slope(at, channel) * xhat(at)) / count;
        (weightSums[channel] as number) += (p.dy[at] as number) * xhat(at);
        (biasSums[channel] as number) += p.dy[at] as number;
      });
      const { dx } = p;
      if (!dx) continue;
      eachOfGroup(p, n, group, (at, channel) => {
        dx[at] = rstd * (slope(at, channel) - average - xhat(at) * averageDot);
      });
    }
  }
  p.dWeight?.set(weightSums);
  p.dBias?.set(biasSums);
});

export interface GroupNormOptions {
  /** [channels]; default ones. */
  weight?: Tensor | undefined;
  /** [channels]; default zeros. */
  bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/**
 * Group normalisation, channels last (Wu & He 2018): (x - mean) / sqrt(variance + eps) * weight + bias, with mean and (biased)
 * variance over all pixels and the channels of a group, for each sample. One channel a group is instance normalisation.
 *
 * @param x [batch, ..., channels]; the axes between are pixels
 * @param groups neighbouring channels are split into so many equal groups
 * @returns a tensor of x's shape
 * @throws UamError `UAM_SHAPE` where weight or bias is not [channels], `UAM_ARGUMENT` where groups do not divide the channels or for
 *   unknown options, `UAM_DTYPE`
 * @example groupNorm(Tensor.from([1, 5, 3, 7], [1, 2, 1, 2]), 2);   // -1, -1, 1, 1, nearly
 */
export function groupNorm(x: Tensor, groups: number, options: GroupNormOptions = {}): Tensor {
  requireTensor('groupNorm', 'x', x);
  requireOptions('groupNorm', options, ['weight', 'bias', 'eps']);
  const { weight, bias, eps = 1e-5 } = options;
  if (x.shape.length < 2) throw mismatch('UAM_SHAPE', 'groupNorm: x', '[batch, ..., channels]', format(x.shape));
  const all = x.shape.at(-1) as number;
  if (!(Number.isInteger(groups) && groups >= 1 && all % groups === 0)) {
    throw mismatch('UAM_ARGUMENT', 'groupNorm: groups', `an integer >= 1 that divides the ${all} channels`, String(groups));
  }
  if (!(typeof eps === 'number' && eps >= 0 && eps < Number.POSITIVE_INFINITY)) {
    throw mismatch('UAM_ARGUMENT', 'groupNorm: eps', 'a finite number >= 0', String(eps));
  }
  for (const [name, tensor] of Object.entries({ weight, bias })) {
    if (tensor) requireShape('groupNorm', name, requireTensor('groupNorm', name, tensor), [all]);
  }
  const dtype = requireSameDtype('groupNorm', x, weight, bias);
  const batch = x.shape[0] as number;
  const pixels = sizeOf(x.shape.slice(1, -1));
  const y = Tensor.empty(x.shape, dtype, x.device);
  const mean = Tensor.empty([batch, groups], dtype, x.device);
  const rstd = Tensor.empty([batch, groups], dtype, x.device);
  const both = () => ({
    batch,
    pixels,
    groups,
    channels: all / groups,
    x: floats(x),
    weight: optionalFloats(weight),
    mean: floats(mean),
    rstd: floats(rstd),
  });
  groupnormFwd({ ...both(), eps, bias: optionalFloats(bias), y: floats(y) });
  return record('groupNorm', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const dx = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    groupnormBwd({ ...both(), dy: floats(dy), dx: optionalFloats(dx), dWeight: optionalFloats(dWeight), dBias: optionalFloats(dBias) });
    return [dx, dWeight, dBias];
  });
}
