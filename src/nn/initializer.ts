import { checkKey, randomNormal, randomUniform } from '../ops/random.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Steps of training count from 0: the numbers that a model starts from are drawn at the last step there is. */
const BEFORE_TRAINING = 0xffffffff;

/**
 * Draws the values that parameters start from: the same seed gives the same model, whatever the machine and the number of threads.
 * Every draw has its own stream, in the order of the calls.
 *
 * @example
 * const start = new Initializer(7);
 * const weight = start.normal([64, 128], 1 / Math.sqrt(64));
 */
export class Initializer {
  #stream = 0;

  /** @param seed integer from 0 to 2^32 - 1 */
  constructor(readonly seed: number) {
    checkKey('Initializer', { seed, step: 0 });
  }

  #key() {
    return { seed: this.seed, step: BEFORE_TRAINING, stream: this.#stream++ };
  }

  /** Normal numbers of mean 0 and standard deviation `sigma`. */
  normal(shape: Shape, sigma: number): Tensor {
    const tensor = randomNormal(shape, this.#key());
    const { data } = tensor;
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * sigma;
    return tensor;
  }

  /** A matrix [..., inputs, outputs] that keeps the variance of what it is applied to. */
  matrix(shape: Shape): Tensor {
    return this.normal(shape, 1 / Math.sqrt(shape.at(-2) as number));
  }

  /** f of uniform numbers in [0, 1). */
  mapped(shape: Shape, f: (uniform: number) => number): Tensor {
    const tensor = randomUniform(shape, this.#key());
    const { data } = tensor;
    for (let i = 0; i < data.length; i++) data[i] = f(data[i] as number);
    return tensor;
  }

  /** One value everywhere. */
  constant(shape: Shape, value: number): Tensor {
    return Tensor.full(shape, value);
  }
}
