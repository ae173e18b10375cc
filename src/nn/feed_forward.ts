import { mul } from '../ops/binary.js';
import { permute } from '../ops/copy_strided.js';
import { groupedLinear } from '../ops/grouped_linear.js';
import { matmul } from '../ops/matmul.js';
import { moeCombine } from '../ops/moe_combine.js';
import { moeDispatch } from '../ops/moe_dispatch.js';
import { type MoeRouting, moeRoute } from '../ops/moe_route.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './initializer.js';
import { project } from './linear.js';
import { Module } from './module.js';

/**
 * A feed-forward network with a gate (Shazeer 2020): (silu(x W1) * (x W3)) W2. Parameters: `ffn_w1`, `ffn_w3` (width, hidden),
 * `ffn_w2` (hidden, width).
 *
 * @example
 * new SwiGlu(8, 24, new Initializer(1)).forward(Tensor.zeros([5, 8])).shape;   // [5, 8]
 */
export class SwiGlu extends Module {
  constructor(width: number, hidden: number, start: Initializer) {
    super();
    this.parameter('ffn_w1', start.matrix([width, hidden]));
    this.parameter('ffn_w3', start.matrix([width, hidden]));
    this.parameter('ffn_w2', start.matrix([hidden, width]));
  }

  /** @param x [..., width] */
  forward(x: Tensor): Tensor {
    const gate = project(x, this.get('ffn_w1'), { activation: 'silu' });
    return matmul(mul(gate, matmul(x, this.get('ffn_w3'))), this.get('ffn_w2'));
  }
}

export interface ExpertsOptions {
  width: number;
  hidden: number;
  experts: number;
  /** Experts per token; as many as there are experts: all of them, weighted by their probability. */
  topK: number;
}

export interface ExpertsResult {
  /** [tokens, width] */
  out: Tensor;
  /** experts * sum_e f_e mean(p_e); 1 where the load is balanced. Shape []. */
  loadBalance: Tensor;
  /** mean(logsumexp(logits)^2). Shape []. */
  zLoss: Tensor;
  /** The experts that each token chose, int32 [tokens, topK]. */
  indices: Tensor;
}

const turned = (matrices: Tensor) => permute(matrices, [0, 2, 1]);

/**
 * A mixture of `SwiGlu` experts: each token goes to the topK experts of the greatest p = softmax(x `expert_gate`), and their results
 * come back weighted by p over the sum of the chosen ones. No expert is ever full, nothing is dropped. Parameters: `expert_gate`
 * (width, experts), `expert_w1`, `expert_w3` (experts, width, hidden), `expert_w2` (experts, hidden, width).
 *
 * @example
 * const mixture = new Experts({ width: 8, hidden: 12, experts: 4, topK: 2 }, new Initializer(1));
 * const { out, loadBalance } = mixture.forward(randomNormal([5, 8], { seed: 1, step: 0 }));
 */
export class Experts extends Module {
  readonly #experts: number;
  readonly #topK: number;

  constructor({ width, hidden, experts, topK }: ExpertsOptions, start: Initializer) {
    super();
    this.#experts = experts;
    this.#topK = topK;
    this.parameter('expert_gate', start.matrix([width, experts]));
    this.parameter('expert_w1', start.matrix([experts, width, hidden]));
    this.parameter('expert_w3', start.matrix([experts, width, hidden]));
    this.parameter('expert_w2', start.matrix([experts, hidden, width]));
  }

  /** @param x [tokens, width] */
  forward(x: Tensor): ExpertsResult {
    const routing: MoeRouting = moeRoute(matmul(x, this.get('expert_gate')), { k: this.#topK, renormalize: true });
    const dispatch = moeDispatch(x, routing.indices, { experts: this.#experts });
    const through = (rows: Tensor, name: string, activation: 'silu' | 'none' = 'none') =>
      groupedLinear(rows, turned(this.get(name)), undefined, dispatch.offsets, { activation });
    const inner = mul(through(dispatch.rows, 'expert_w1', 'silu'), through(dispatch.rows, 'expert_w3'));
    const out = moeCombine(through(inner, 'expert_w2'), routing.weights, dispatch);
    return { out, loadBalance: routing.loadBalance, zLoss: routing.zLoss, indices: routing.indices };
  }
}
