import { conv2d } from '../ops/conv2d.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import { Module } from './module.js';

export interface Conv2dOptions {
  inputs: number;
  outputs: number;
  /** Height and width of the kernel. */
  kernel: number;
  /** Image pixels from one kernel position to the next. Default 1. */
  stride?: number;
  /** Zeros around the image. Default 0. */
  padding?: number;
  /** Channels are split into so many groups that do not mix; as many as there are channels: a depthwise convolution. Default 1. */
  groups?: number;
  /** Whether there is a bias. Default true. */
  bias?: boolean;
}

/**
 * A convolution of images, channels last. Parameters: `weight` (outputs, kernel, kernel, inputs / groups), normal with standard
 * deviation 1/sqrt(numbers that one output meets), and `bias` (outputs), zeros. (A 1x1 convolution is a `Linear` layer.)
 *
 * @example
 * const halve = new Conv2d({ inputs: 3, outputs: 8, kernel: 2, stride: 2 }, new Initializer(1));
 * halve.forward(Tensor.zeros([1, 6, 4, 3])).shape;   // [1, 3, 2, 8]
 */
export class Conv2d extends Module {
  readonly #options: Required<Conv2dOptions>;

  constructor({ stride = 1, padding = 0, groups = 1, bias = true, ...given }: Conv2dOptions, start: Initializer) {
    super();
    this.#options = { stride, padding, groups, bias, ...given };
    const { inputs, outputs, kernel } = given;
    const met = inputs / groups;
    this.parameter('weight', start.normal([outputs, kernel, kernel, met], 1 / Math.sqrt(kernel * kernel * met)));
    if (bias) this.parameter('bias', start.constant([outputs], 0));
  }

  /**
   * @param x [batch, height, width, inputs]
   * @returns [batch, outHeight, outWidth, outputs]
   */
  forward(x: Tensor): Tensor {
    const { stride, padding, groups, bias } = this.#options;
    return conv2d(x, this.get('weight'), { stride, padding, groups, bias: bias ? this.get('bias') : undefined });
  }
}
