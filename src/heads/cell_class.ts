import type { Initializer } from '../nn/initializer.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { rms } from '../nn/norm.js';
import { dropout } from '../ops/dropout.js';
import type { RandomKey } from '../ops/random.js';
import { geluErf } from '../ops/unary.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * Classes of cells from their states: RMS norm, a linear layer, GELU, dropout, a linear layer. Parameters: `norm` (width),
 * `dense.weight` (width, width), `dense.bias`, `logits.weight` (width, classes), `logits.bias`.
 *
 * @example
 * const head = new CellClassHead({ width: 64, classes: 3, dropout: 0.1 }, new Initializer(1));
 * head.forward(Tensor.zeros([5, 64])).shape;   // [5, 3]
 */
export class CellClassHead extends Module {
  readonly #dropout: number;
  readonly #dense: Linear;
  readonly #logits: Linear;

  constructor({ width, classes, dropout: rate }: { width: number; classes: number; dropout: number }, start: Initializer) {
    super();
    this.#dropout = rate;
    this.parameter('norm', start.constant([width], 1));
    this.#dense = this.child('dense', new Linear(width, width, start));
    this.#logits = this.child('logits', new Linear(width, classes, start));
  }

  /**
   * @param states [cells, width]
   * @param key for dropout, in training mode
   * @returns logits [cells, classes]
   */
  forward(states: Tensor, key?: RandomKey): Tensor {
    const hidden = geluErf(this.#dense.forward(rms(states, this.get('norm'))));
    const kept = this.training && this.#dropout > 0 && key ? dropout(hidden, this.#dropout, key) : hidden;
    return this.#logits.forward(kept);
  }
}
