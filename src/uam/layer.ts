import type { TokenLayout } from '../nn/layout.js';
import { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import type { LayerNoise } from './noise.js';

/** What a layer works on beside the tokens. */
export interface LayerInput {
  layout: TokenLayout;
  /** Only in training. */
  noise?: LayerNoise | undefined;
}

export interface LayerOutput {
  /** [tokens, width] */
  x: Tensor;
  /** The share of attention in what the two paths add, where the layer mixes them: [tokens, heads], [tokens, width] or [heads]. */
  attentionShare?: Tensor | undefined;
  /** Of a mixture of experts; shape []. */
  loadBalance?: Tensor | undefined;
  /** Of a mixture of experts; shape []. */
  zLoss?: Tensor | undefined;
}

/** One layer of a backbone: [tokens, width] to [tokens, width]. */
export abstract class Layer extends Module {
  /** @param index which layer it is, from 0: odd ones scan in another order */
  constructor(readonly index: number) {
    super();
  }

  abstract forward(x: Tensor, input: LayerInput): LayerOutput;

  /** The order that this layer scans in. */
  protected orderOf(layout: TokenLayout) {
    return this.index % 2 === 1 ? layout.oddOrder : undefined;
  }

  /** A residual branch, as it is or as training disturbs it. */
  protected branch(x: Tensor, place: number, { noise, layout }: LayerInput): Tensor {
    return noise ? noise.branch(x, place, layout.offsets) : x;
  }
}
