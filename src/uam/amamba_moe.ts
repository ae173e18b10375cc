import { MultiHeadAttention } from '../nn/attention.js';
import { Experts } from '../nn/feed_forward.js';
import type { Initializer } from '../nn/initializer.js';
import { BiMamba } from '../nn/mamba.js';
import { addRms, rms } from '../nn/norm.js';
import { split } from '../nn/split.js';
import { add, mul } from '../ops/binary.js';
import { matmul } from '../ops/matmul.js';
import { softmax } from '../ops/softmax.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BackboneConfig } from './config.js';
import { Layer, type LayerInput, type LayerOutput } from './layer.js';

/**
 * The layer of UAM with experts: Mamba and attention side by side, and a mixture of experts over their sum. With RMS norms 1, 3, m, a,
 *
 *     u = RMS1(x);  m = BiMamba(u);  a = MHA(u);   pi = 2 softmax(u router_weight + router_bias)
 *     y = x + pi[0] RMSm(m) + pi[1] RMSa(a);   result = y + Experts(RMS3(y))
 *
 * Mode `mamba` is pi = (2, 0), mode `attention` pi = (0, 2). The router starts at pi = (1, 1).
 *
 * @example
 * const config = backboneConfig({ size: 'S', architecture: 'amamba-moe' });
 * const layer = new AmambaMoeLayer(config, 0, new Initializer(1));
 * const { loadBalance } = layer.forward(randomNormal([5, 64], { seed: 1, step: 0 }), { layout: { offsets: Int32Array.of(0, 5) } });
 */
export class AmambaMoeLayer extends Layer {
  /** May be changed at any time: every mode has the same parameters. */
  mode: BackboneConfig['mode'];
  readonly #mamba: BiMamba;
  readonly #attention: MultiHeadAttention;
  readonly #experts: Experts;

  constructor(config: BackboneConfig, index: number, start: Initializer) {
    super(index);
    const { width, heads, depth, state, bidirectional, distanceBias, expertFfn, experts, topK } = config;
    this.mode = config.mode;
    for (const name of ['norm1', 'norm3']) this.parameter(name, start.constant([width], 1));
    for (const name of ['norm_m', 'norm_a']) this.parameter(name, start.constant([width], 1 / Math.sqrt(2 * depth)));
    this.#mamba = this.child('', new BiMamba({ width, state, bidirectional }, start));
    this.#attention = this.child('', new MultiHeadAttention({ width, heads, distanceBias }, start));
    this.parameter('router_weight', start.constant([width, 2], 0));
    this.parameter('router_bias', start.constant([2], 0));
    this.#experts = this.child('', new Experts({ width, hidden: expertFfn, experts, topK }, start));
  }

  forward(x: Tensor, input: LayerInput): LayerOutput {
    const { layout } = input;
    const u = rms(x, this.get('norm1'));
    const m = this.mode === 'attention' ? undefined : rms(this.#mamba.forward(u, layout.offsets, this.orderOf(layout)), this.get('norm_m'));
    const a = this.mode === 'mamba' ? undefined : rms(this.#attention.forward(u, u, layout), this.get('norm_a'));
    const { mixed, share } = this.#mix(u, m, a);
    const { out: v, sum: y } = addRms(x, this.branch(mixed, 0, input), this.get('norm3'));
    const { out, loadBalance, zLoss } = this.#experts.forward(v);
    return { x: add(y, this.branch(out, 1, input)), attentionShare: share, loadBalance, zLoss };
  }

  #mix(u: Tensor, m: Tensor | undefined, a: Tensor | undefined): { mixed: Tensor; share?: Tensor } {
    if (!m) return { mixed: mul(a as Tensor, 2) };
    if (!a) return { mixed: mul(m, 2) };
    const shares = softmax(add(matmul(u, this.get('router_weight')), this.get('router_bias')));
    const [ofMamba, ofAttention] = split(shares, [1, 1]) as [Tensor, Tensor];
    return { mixed: add(mul(mul(ofMamba, 2), m), mul(mul(ofAttention, 2), a)), share: ofAttention };
  }
}
