import { mismatch } from '../errors.js';
import { attention } from '../ops/attention.js';
import { reshape } from '../ops/copy_strided.js';
import { matmul } from '../ops/matmul.js';
import { neighborAttention } from '../ops/neighbor_attention.js';
import { neg, softplus } from '../ops/unary.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import type { TokenLayout } from './layout.js';
import { Module } from './module.js';

export interface MultiHeadAttentionOptions {
  width: number;
  heads: number;
  /** Heads of keys and values: `heads` (default), or 1 for multi-query attention. */
  keyHeads?: number;
  /** Whether a token sees only itself and what stands before it. Default false. */
  causal?: boolean;
  /** Learns how fast each head's attention fades with distance (`distance_beta`): for tokens with neighbours. Default false. */
  distanceBias?: boolean;
}

/**
 * Multi-head attention of packed tokens: softmax(q k^T / sqrt(d) - softplus(beta_h) dist / r) v, then `o_proj`. Parameters:
 * `q_proj`, `k_proj`, `v_proj`, `o_proj` (inputs, outputs), and `distance_beta` (heads), zeros at the start.
 *
 * @example
 * const layer = new MultiHeadAttention({ width: 8, heads: 2 }, new Initializer(1));
 * const x = randomNormal([5, 8], { seed: 1, step: 0 });
 * layer.forward(x, x, { offsets: Int32Array.of(0, 3, 5) }).shape;   // [5, 8]: sequences of 3 and 2 tokens
 */
export class MultiHeadAttention extends Module {
  readonly #heads: number;
  readonly #keyHeads: number;
  readonly #dim: number;
  readonly #causal: boolean;
  readonly #distanceBias: boolean;

  constructor({ width, heads, keyHeads = heads, causal = false, distanceBias = false }: MultiHeadAttentionOptions, start: Initializer) {
    super();
    if (!(heads >= 1 && width % heads === 0)) throw mismatch('UAM_ARGUMENT', 'heads', `a divisor of the width ${width}`, String(heads));
    this.#heads = heads;
    this.#keyHeads = keyHeads;
    this.#dim = width / heads;
    this.#causal = causal;
    this.#distanceBias = distanceBias;
    this.parameter('q_proj', start.matrix([width, width]));
    this.parameter('k_proj', start.matrix([width, keyHeads * this.#dim]));
    this.parameter('v_proj', start.matrix([width, keyHeads * this.#dim]));
    this.parameter('o_proj', start.matrix([width, width]));
    if (distanceBias) this.parameter('distance_beta', start.constant([heads], 0));
  }

  /**
   * @param query [tokens, width], what asks
   * @param context [tokens, width], what is asked
   * @returns [tokens, width]
   */
  forward(query: Tensor, context: Tensor, layout: TokenLayout): Tensor {
    const tokens = query.shape[0] as number;
    const inHeads = (x: Tensor, name: string, heads: number) => reshape(matmul(x, this.get(name)), [tokens, heads, this.#dim]);
    const q = inHeads(query, 'q_proj', this.#heads);
    const k = inHeads(context, 'k_proj', this.#keyHeads);
    const v = inHeads(context, 'v_proj', this.#keyHeads);
    const seen = this.#attend(q, k, v, layout);
    return matmul(reshape(seen, [tokens, this.#heads * this.#dim]), this.get('o_proj'));
  }

  #attend(q: Tensor, k: Tensor, v: Tensor, { offsets, neighbours }: TokenLayout): Tensor {
    if (!neighbours) return attention(q, k, v, { offsetsQ: offsets, causal: this.#causal }).out;
    if (this.#causal) throw mismatch('UAM_ARGUMENT', 'attention over neighbours', 'not causal: neighbours have no order', 'causal: true');
    const { indices, distances } = neighbours;
    const fading = this.#distanceBias ? { distances, slopes: neg(softplus(this.get('distance_beta'))) } : {};
    return neighborAttention(q, k, v, neighbours.offsets, indices, fading).out;
  }
}
