import { adamwState, adamwStep, bceWithLogits, crossEntropy, permute, type Reduction, softDice, Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

/** The vectors' (N, C, ...) in this package's order, [N, ..., C]. */
const channelsLast = (x: Tensor) => permute(x, [0, ...x.shape.slice(2).map((_, axis) => axis + 2), 1]);

export const lossAdapters: Record<string, Adapter> = {
  cross_entropy: ({ x, target, class_weight }, { ignore_index, label_smoothing, reduction }) => ({
    out: crossEntropy(channelsLast(x as Tensor), target as Tensor, {
      classWeight: class_weight,
      ignoreIndex: ignore_index as number,
      labelSmoothing: label_smoothing as number,
      reduction: reduction as Reduction,
    }),
  }),
  bce_with_logits: ({ x, target, pos_weight }, { reduction }) => ({
    out: bceWithLogits(x as Tensor, target as Tensor, { posWeight: pos_weight, reduction: reduction as Reduction }),
  }),
  soft_dice: ({ x, target }, { act, per_sample, squared, smooth, eps }) => ({
    out: softDice(channelsLast(x as Tensor), channelsLast(target as Tensor), {
      activation: act as 'sigmoid' | 'softmax',
      perSample: per_sample as boolean,
      squared: squared as boolean,
      smooth: smooth as number,
      eps: eps as number,
    }),
  }),
  adamw: ({ p, grads }, { steps, lr, betas, eps, weight_decay, amsgrad, clip_norm }) => {
    const parameter = (p as Tensor).clone();
    const state = adamwState([parameter], { amsgrad: amsgrad === true });
    const after = { p: [] as number[], m: [] as number[], v: [] as number[] };
    for (let step = 0; step < (steps as number); step++) {
      adamwStep([parameter], [(grads as Tensor).rows(step, step + 1).alias(parameter.shape)], state, {
        learningRate: lr as number,
        betas: betas as [number, number],
        eps: eps as number,
        weightDecay: weight_decay as number,
        clipNorm: clip_norm as number | undefined,
      });
      after.p.push(...parameter.data);
      after.m.push(...(state.m[0] as Tensor).data);
      after.v.push(...(state.v[0] as Tensor).data);
    }
    const stack = (values: number[]) => Tensor.from(values, [steps as number, ...parameter.shape]);
    return { p: stack(after.p), m: stack(after.m), v: stack(after.v) };
  },
};
