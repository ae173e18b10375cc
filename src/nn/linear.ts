import type { Activation } from '../ops/activation.js';
import { transpose } from '../ops/copy_strided.js';
import { linear } from '../ops/linear.js';
import { matmul } from '../ops/matmul.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import { Module } from './module.js';

export interface ProjectOptions {
  /** [outputs] */
  bias?: Tensor | undefined;
  activation?: Activation;
}

/**
 * activation(x W + b), with the matrix as files keep it: (inputs, outputs). Bias and activation cost no pass of their own.
 *
 * @param x [..., inputs]
 * @param weight [inputs, outputs]
 */
export function project(x: Tensor, weight: Tensor, { bias, activation = 'none' }: ProjectOptions = {}): Tensor {
  if (!bias && activation === 'none') return matmul(x, weight);
  // The op wants (outputs, inputs); to turn the matrix costs little beside the tokens that go through it.
  return linear(x, transpose(weight), bias, { activation });
}

export interface LinearLayerOptions {
  /** Whether there is a bias. Default true. */
  bias?: boolean;
  activation?: Activation;
}

/**
 * A linear layer: activation(x W + b). Parameters: `weight` (inputs, outputs), normal with standard deviation 1/sqrt(inputs), and
 * `bias` (outputs), zeros.
 *
 * @example
 * const layer = new Linear(4, 2, new Initializer(1));
 * layer.forward(Tensor.zeros([3, 4])).shape;   // [3, 2]
 */
export class Linear extends Module {
  readonly #activation: Activation;
  readonly #biased: boolean;

  constructor(inputs: number, outputs: number, start: Initializer, { bias = true, activation = 'none' }: LinearLayerOptions = {}) {
    super();
    this.#activation = activation;
    this.#biased = bias;
    this.parameter('weight', start.matrix([inputs, outputs]));
    if (bias) this.parameter('bias', start.constant([outputs], 0));
  }

  /** @param x [..., inputs] */
  forward(x: Tensor): Tensor {
    return project(x, this.get('weight'), { bias: this.#biased ? this.get('bias') : undefined, activation: this.#activation });
  }
}
