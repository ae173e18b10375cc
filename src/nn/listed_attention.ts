import { mismatch } from '../errors.js';
import { reshape } from '../ops/copy_strided.js';
import { matmul } from '../ops/matmul.js';
import { neighborAttention } from '../ops/neighbor_attention.js';
import { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import { Module } from './module.js';

/** Whom each query asks: query i asks rows indices[offsets[i]] to indices[offsets[i + 1] - 1] of the context. */
export interface AskedLists {
  /** [queries + 1] */
  offsets: Int32Array;
  /** [edges] */
  indices: Int32Array;
}

/**
 * Multi-head attention from tokens of one kind to tokens of another, each query to a list of its own: softmax(q k^T / sqrt(d)) v, then
 * `o_proj`. A query with an empty list gets 0. Parameters: `q_proj`, `k_proj`, `v_proj`, `o_proj` (width, width).
 *
 * @example
 * const layer = new ListedAttention(8, 2, new Initializer(1));
 * const [cells, pixels] = [randomNormal([2, 8], { seed: 1, step: 0 }), randomNormal([5, 8], { seed: 2, step: 0 })];
 * layer.forward(cells, pixels, { offsets: Int32Array.of(0, 3, 3), indices: Int32Array.of(0, 1, 4) }).shape;   // [2, 8]
 */
export class ListedAttention extends Module {
  readonly #heads: number;
  readonly #dim: number;

  constructor(width: number, heads: number, start: Initializer) {
    super();
    if (!(heads >= 1 && width % heads === 0)) throw mismatch('UAM_ARGUMENT', 'heads', `a divisor of the width ${width}`, String(heads));
    this.#heads = heads;
    this.#dim = width / heads;
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'o_proj']) this.parameter(name, start.matrix([width, width]));
  }

  /**
   * @param query [queries, width]
   * @param context [rows, width]
   * @returns [queries, width]
   */
  forward(query: Tensor, context: Tensor, { offsets, indices }: AskedLists): Tensor {
    const inHeads = (x: Tensor, name: string) => reshape(matmul(x, this.get(name)), [x.shape[0] as number, this.#heads, this.#dim]);
    const [q, k, v] = [inHeads(query, 'q_proj'), inHeads(context, 'k_proj'), inHeads(context, 'v_proj')];
    const { out } = neighborAttention(q, k, v, offsets, Tensor.from(indices, undefined, query.device));
    return matmul(reshape(out, query.shape), this.get('o_proj'));
  }
}
