import { MultiHeadAttention } from '../nn/attention.js';
import { Experts } from '../nn/feed_forward.js';
import type { Initializer } from '../nn/initializer.js';
import { BiMamba } from '../nn/mamba.js';
import { add, div, mul } from '../ops/binary.js';
import { sum } from '../ops/reduce.js';
import { sqrt, square } from '../ops/unary.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BackboneConfig } from './config.js';
import { Layer, type LayerInput, type LayerOutput } from './layer.js';

/** x / |x| / sqrt(width), over the last axis; 0 where x is. */
function scaleNorm(x: Tensor): Tensor {
  const width = x.shape.at(-1) as number;
  const length = sqrt(add(sum(square(x), { axis: -1, keepDims: true }), 1e-24));
  return mul(div(x, length), 1 / Math.sqrt(width));
}

/**
 * The layer as the authors' public code mixes, for comparison only: with S(x) = x / |x| / sqrt(width),
 *
 *     u = S(x);  h = u + Mamba(u) + MQA(u);   result = x + Experts(S(h))
 *
 * where Mamba scans forward only and MQA is causal attention with one head of keys and values.
 *
 * @example
 * const config = backboneConfig({ size: 'S', architecture: 'released-moe' });
 * const layer = new ReleasedMoeLayer(config, 0, new Initializer(1));
 */
export class ReleasedMoeLayer extends Layer {
  readonly #mamba: BiMamba;
  readonly #attention: MultiHeadAttention;
  readonly #experts: Experts;

  constructor(config: BackboneConfig, index: number, start: Initializer) {
    super(index);
    const { width, heads, state, expertFfn, experts, topK } = config;
    this.#mamba = this.child('', new BiMamba({ width, state, bidirectional: false }, start));
    this.#attention = this.child('', new MultiHeadAttention({ width, heads, keyHeads: 1, causal: true }, start));
    this.#experts = this.child('', new Experts({ width, hidden: expertFfn, experts, topK }, start));
  }

  forward(x: Tensor, input: LayerInput): LayerOutput {
    const { layout } = input;
    const u = scaleNorm(x);
    // Its attention is causal, and neighbours have no order: it always sees the whole sequence before a token.
    const attended = this.#attention.forward(u, u, { offsets: layout.offsets });
    const h = add(u, add(this.#mamba.forward(u, layout.offsets), attended));
    const { out, loadBalance, zLoss } = this.#experts.forward(scaleNorm(h));
    return { x: add(x, this.branch(out, 1, input)), loadBalance, zLoss };
  }
}
