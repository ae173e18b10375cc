import { mul } from '../ops/binary.js';
import { dropout } from '../ops/dropout.js';
import { randomUniform } from '../ops/random.js';
import { bring } from '../tensor/bring.js';
import { Tensor } from '../tensor/tensor.js';

/** The step of training that draws random numbers: the same one draws the same. */
export interface TrainingStep {
  /** Integer from 0 to 2^32 - 1. */
  seed: number;
  /** Integer from 0 to 2^32 - 2. */
  step: number;
}

/** Places in a layer that draw, and so the streams that each has. */
const PLACES = 16;

/** What is random in one layer during one step of training. */
export class LayerNoise {
  readonly #at: TrainingStep;
  readonly #layer: number;
  readonly #dropout: number;
  readonly #dropPath: number;

  /** @param layer its number: layers draw from streams of their own */
  constructor(at: TrainingStep, layer: number, dropoutRate: number, dropPathRate: number) {
    this.#at = at;
    this.#layer = layer;
    this.#dropout = dropoutRate;
    this.#dropPath = dropPathRate;
  }

  /**
   * What a residual branch adds in training: some of its numbers are 0, and so are whole sequences (Huang et al. 2016); the others
   * are larger in turn.
   *
   * @param place 0 to 7, another one for each branch of a layer
   */
  branch(x: Tensor, place: number, offsets: Int32Array): Tensor {
    const key = (part: number) => ({ ...this.#at, stream: this.#layer * PLACES + 2 * place + part });
    const kept = this.#dropout > 0 ? dropout(x, this.#dropout, key(0)) : x;
    if (this.#dropPath === 0) return kept;
    const drawn = randomUniform([offsets.length - 1], key(1)).data;
    const factors = Tensor.empty([x.shape[0] as number, 1], x.dtype);
    for (let s = 0; s + 1 < offsets.length; s++) {
      const factor = (drawn[s] as number) < this.#dropPath ? 0 : 1 / (1 - this.#dropPath);
      factors.data.fill(factor, offsets[s], offsets[s + 1]);
    }
    return mul(kept, bring(factors, x.device));
  }
}
