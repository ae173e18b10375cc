import { mismatch } from '../errors.js';
import type { TokenLayout } from '../nn/layout.js';
import { Module } from '../nn/module.js';
import { format } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from './cell_batch.js';

/** Cells as packed sequences of tokens. */
export interface Tokens {
  /** [tokens, width] */
  x: Tensor;
  layout: TokenLayout;
  /** From the states of the tokens, [tokens, width], those of the cells, [cells, width], in the order of the batch. */
  readout(states: Tensor): Tensor;
}

/** Turns the features of cells into tokens. */
export abstract class Tokeniser extends Module {
  /** @param features numbers per cell */
  constructor(readonly features: number) {
    super();
  }

  /** @throws UamError `UAM_SHAPE` for cells with another number of features */
  abstract forward(batch: CellBatch): Tokens;

  protected checkFeatures({ features }: CellBatch): number {
    if (features.shape.length !== 2 || features.shape[1] !== this.features) {
      throw mismatch('UAM_SHAPE', 'tokens: features', `[cells, ${this.features}]`, format(features.shape));
    }
    return features.shape[0] as number;
  }
}

/** Offsets of `count` sequences of one length. */
export const evenOffsets = (count: number, length: number): Int32Array => Int32Array.from({ length: count + 1 }, (_, i) => i * length);
