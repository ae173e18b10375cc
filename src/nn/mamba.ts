import { add, mul } from '../ops/binary.js';
import { causalConv1d } from '../ops/causal_conv1d.js';
import { reshape } from '../ops/copy_strided.js';
import { gather } from '../ops/gather_rows.js';
import { matmul } from '../ops/matmul.js';
import { selectiveScan } from '../ops/selective_scan.js';
import { exp, neg } from '../ops/unary.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import type { ScanOrder } from './layout.js';
import { Module } from './module.js';
import { split } from './split.js';

export interface BiMambaOptions {
  width: number;
  /** States per channel. */
  state: number;
  /** Channels inside, as a multiple of the width. Default 2. */
  expand?: number;
  /** Tokens that the short filter sees. Default 4. */
  convWidth?: number;
  /** Whether a second scan runs from the end to the start; the two share `in_proj` and `out_proj`. Default true. */
  bidirectional?: boolean;
}

/** Steps at the start: softplus(dt_bias) is uniform on a logarithmic scale between these. */
const STEPS = Object.freeze([1e-3, 1e-1] as const);

const inverseSoftplus = (x: number) => x + Math.log(-Math.expm1(-x));

/**
 * The Mamba block (Gu and Dao 2023) scanned in both directions, over packed sequences. With [x, z] = u `in_proj`, per direction
 *
 *     x~ = silu(conv(x));  [delta, B, C] = x~ x_proj;  dt = softplus(delta dt_proj + dt_bias);  A = -exp(A_log)
 *     h[t] = exp(dt[t] A) h[t-1] + dt[t] B[t] x~[t];   y[t] = C[t] h[t] + D x~[t]
 *
 * and the result is (mean of both y * silu(z)) `out_proj`. Parameters per direction end in `_fwd` or `_bwd`.
 *
 * @example
 * const block = new BiMamba({ width: 8, state: 4 }, new Initializer(1));
 * block.forward(randomNormal([5, 8], { seed: 1, step: 0 }), Int32Array.of(0, 3, 5)).shape;   // [5, 8]
 */
export class BiMamba extends Module {
  readonly #inner: number;
  readonly #state: number;
  readonly #rank: number;
  readonly #bidirectional: boolean;

  constructor({ width, state, expand = 2, convWidth = 4, bidirectional = true }: BiMambaOptions, start: Initializer) {
    super();
    const inner = expand * width;
    const rank = Math.ceil(width / 16);
    this.#inner = inner;
    this.#state = state;
    this.#rank = rank;
    this.#bidirectional = bidirectional;
    this.parameter('in_proj', start.matrix([width, 2 * inner]));
    this.parameter('out_proj', start.matrix([inner, width]));
    const [least, most] = STEPS;
    for (const side of bidirectional ? ['fwd', 'bwd'] : ['fwd']) {
      // The variance of a sum of convWidth taps is then about a third, as with PyTorch's convolutions.
      this.parameter(`conv_weight_${side}`, start.normal([inner, convWidth], 1 / Math.sqrt(3 * convWidth)));
      this.parameter(`conv_bias_${side}`, start.constant([inner], 0));
      this.parameter(`x_proj_${side}`, start.matrix([inner, rank + 2 * state]));
      this.parameter(`dt_proj_${side}`, start.matrix([rank, inner]));
      this.parameter(
        `dt_bias_${side}`,
        start.mapped([inner], (uniform) => inverseSoftplus(least * (most / least) ** uniform)),
      );
      const rates = start.constant([inner, state], 0);
      for (let i = 0; i < rates.size; i++) rates.data[i] = Math.log((i % state) + 1);
      this.parameter(`A_log_${side}`, rates, { decay: false });
      this.parameter(`D_${side}`, start.constant([inner], 1));
    }
  }

  /**
   * @param u [tokens, width]
   * @param offsets where the sequences begin and end
   * @param order the order to scan in; default: as the tokens lie
   * @returns [tokens, width]
   */
  forward(u: Tensor, offsets: Int32Array, order?: ScanOrder): Tensor {
    const ordered = order ? gather(u, order.to) : u;
    // Two products instead of one: cutting the matrix costs less than cutting its product.
    const [toX, toZ] = split(this.get('in_proj'), [this.#inner, this.#inner]) as [Tensor, Tensor];
    const [x, z] = [matmul(ordered, toX), matmul(ordered, toZ)];
    const forth = this.#scan('fwd', x, z, offsets);
    const m = this.#bidirectional
      ? matmul(add(forth, this.#scan('bwd', x, z, offsets)), mul(this.get('out_proj'), 0.5))
      : matmul(forth, this.get('out_proj'));
    return order ? gather(m, order.back) : m;
  }

  /** y * silu(z) of one direction. */
  #scan(side: 'fwd' | 'bwd', x: Tensor, z: Tensor, offsets: Int32Array): Tensor {
    const tokens = x.shape[0] as number;
    const state = this.#state;
    const reverse = side === 'bwd';
    const of = (name: string) => this.get(`${name}_${side}`);
    const u = causalConv1d(x, of('conv_weight'), { bias: of('conv_bias'), activation: 'silu', reverse, offsets });
    const [delta, B, C] = split(matmul(u, of('x_proj')), [this.#rank, state, state]) as [Tensor, Tensor, Tensor];
    const perToken = (coefficients: Tensor) => reshape(coefficients, [tokens, 1, state]);
    return selectiveScan(
      {
        ...{ u, delta: matmul(delta, of('dt_proj')), A: neg(exp(of('A_log'))), B: perToken(B), C: perToken(C) },
        ...{ D: of('D'), z, deltaBias: of('dt_bias'), offsets },
      },
      { deltaSoftplus: true, reverse },
    ).out;
  }
}
