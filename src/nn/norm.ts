import { groupNorm } from '../ops/groupnorm.js';
import { layerNorm } from '../ops/layernorm.js';
import { addRmsNorm, rmsNorm } from '../ops/rmsnorm.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import { Module } from './module.js';

/** Added to the mean square in every RMS norm of the model. */
export const RMS_EPSILON = 1e-6;

/** RMS(x) = weight * x / sqrt(mean x^2 + 1e-6), over the last axis. */
export const rms = (x: Tensor, weight: Tensor): Tensor => rmsNorm(x, { weight, eps: RMS_EPSILON });

/** x + branch, and its RMS norm: `{ sum, out }` in one pass over memory. */
export const addRms = (x: Tensor, branch: Tensor, weight: Tensor) => addRmsNorm(x, branch, { weight, eps: RMS_EPSILON });

/**
 * Root-mean-square normalisation over the last axis, with a learned factor per channel (`weight`, ones at the start).
 *
 * @example
 * new RmsNorm(2, new Initializer(1)).forward(Tensor.from([3, 4], [1, 2]));   // [[0.8485, 1.1314]]
 */
export class RmsNorm extends Module {
  constructor(width: number, start: Initializer) {
    super();
    this.parameter('weight', start.constant([width], 1));
  }

  /** @param x [..., width] */
  forward(x: Tensor): Tensor {
    return rms(x, this.get('weight'));
  }
}

/**
 * Layer normalisation over the last axis, with a learned factor (`weight`, ones) and offset (`bias`, zeros) per channel.
 *
 * @example
 * new LayerNorm(2, new Initializer(1)).forward(Tensor.from([1, 3], [1, 2]));   // [[-1, 1]], nearly
 */
export class LayerNorm extends Module {
  constructor(width: number, start: Initializer) {
    super();
    this.parameter('weight', start.constant([width], 1));
    this.parameter('bias', start.constant([width], 0));
  }

  /** @param x [..., width] */
  forward(x: Tensor): Tensor {
    return layerNorm(x, { weight: this.get('weight'), bias: this.get('bias'), eps: RMS_EPSILON });
  }
}

/**
 * Group normalisation of images, channels last, with a learned factor (`weight`, ones) and offset (`bias`, zeros) per channel.
 *
 * @example
 * new GroupNorm(8, 2, new Initializer(1)).forward(Tensor.zeros([1, 4, 4, 8])).shape;   // [1, 4, 4, 8]
 */
export class GroupNorm extends Module {
  readonly #groups: number;

  /** @param groups neighbouring channels are split into so many equal groups */
  constructor(width: number, groups: number, start: Initializer) {
    super();
    this.#groups = groups;
    this.parameter('weight', start.constant([width], 1));
    this.parameter('bias', start.constant([width], 0));
  }

  /** @param x [batch, ..., width] */
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.#groups, { weight: this.get('weight'), bias: this.get('bias') });
  }
}
