import { MultiHeadAttention } from '../nn/attention.js';
import { SwiGlu } from '../nn/feed_forward.js';
import type { Initializer } from '../nn/initializer.js';
import type { TokenLayout } from '../nn/layout.js';
import { BiMamba } from '../nn/mamba.js';
import { addRms, rms } from '../nn/norm.js';
import { add, mul, sub } from '../ops/binary.js';
import { reshape, slice } from '../ops/copy_strided.js';
import { gateMix } from '../ops/gate_mix.js';
import { matmul } from '../ops/matmul.js';
import { sigmoid } from '../ops/unary.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BackboneConfig } from './config.js';
import { Layer, type LayerInput, type LayerOutput } from './layer.js';

/**
 * The layer of UAM: attention to a context that a Mamba block made, and a gate that mixes the two. With RMS norms 1, 2, 3, m, a,
 *
 *     u = RMS1(x);  m = BiMamba(u);  c = RMS2(u + m);  a = MHA(q = u, k = v = c)
 *     g = sigmoid([u; RMSm(m); RMSa(a)] gate_weight + gate_bias)
 *     y = x + g RMSa(a) + (1 - g) RMSm(m);   result = y + SwiGlu(RMS3(y))
 *
 * In mode `attention` m is 0 and g is 1, in mode `mamba` g is 0: a Transformer and a Mamba block, with norms after their branches.
 * The gate starts at 1/2, and both branches at a scale of 1/sqrt(2 depth).
 *
 * @example
 * const layer = new AmambaLayer(backboneConfig({ size: 'S' }), 0, new Initializer(1));
 * const { x } = layer.forward(randomNormal([5, 64], { seed: 1, step: 0 }), { layout: { offsets: Int32Array.of(0, 5) } });
 */
export class AmambaLayer extends Layer {
  /** May be changed at any time: every mode has the same parameters. */
  mode: BackboneConfig['mode'];
  readonly #config: BackboneConfig;
  readonly #mamba: BiMamba;
  readonly #attention: MultiHeadAttention;
  readonly #feedForward: SwiGlu;

  constructor(config: BackboneConfig, index: number, start: Initializer) {
    super(index);
    const { width, heads, depth, state, bidirectional, distanceBias, ffn, gate } = config;
    this.#config = config;
    this.mode = config.mode;
    for (const name of ['norm1', 'norm2', 'norm3']) this.parameter(name, start.constant([width], 1));
    for (const name of ['norm_m', 'norm_a']) this.parameter(name, start.constant([width], 1 / Math.sqrt(2 * depth)));
    this.#mamba = this.child('', new BiMamba({ width, state, bidirectional }, start));
    this.#attention = this.child('', new MultiHeadAttention({ width, heads, distanceBias }, start));
    const gates = gate === 'channel' ? width : heads;
    if (gate !== 'static') this.parameter('gate_weight', start.constant([3 * width, gates], 0));
    this.parameter('gate_bias', start.constant([gates], 0));
    this.#feedForward = this.child('', new SwiGlu(width, ffn, start));
  }

  forward(x: Tensor, input: LayerInput): LayerOutput {
    const { layout } = input;
    const u = rms(x, this.get('norm1'));
    const m = this.mode === 'attention' ? undefined : this.#mamba.forward(u, layout.offsets, this.orderOf(layout));
    const mHat = m && rms(m, this.get('norm_m'));
    const aHat = this.mode === 'mamba' ? undefined : rms(this.#attend(u, m, layout), this.get('norm_a'));
    const { mixed, gate } = this.#mix(u, mHat, aHat);
    const { out: v, sum: y } = addRms(x, this.branch(mixed, 0, input), this.get('norm3'));
    return { x: add(y, this.branch(this.#feedForward.forward(v), 1, input)), attentionShare: gate };
  }

  #attend(u: Tensor, m: Tensor | undefined, layout: TokenLayout): Tensor {
    const context = m ? addRms(u, m, this.get('norm2')).out : rms(u, this.get('norm2'));
    const [query, asked] = this.#config.context === 'q' ? [context, u] : [u, context];
    return this.#attention.forward(query, asked, layout);
  }

  #mix(u: Tensor, m: Tensor | undefined, a: Tensor | undefined): { mixed: Tensor; gate?: Tensor } {
    if (!m) return { mixed: a as Tensor };
    if (!a) return { mixed: m };
    const gate = this.#gate(u, m, a);
    if (gate.shape.length === 2) return { mixed: gateMix(gate, a, m), gate };
    // One gate for all tokens.
    const heads = gate.shape.at(-1) as number;
    const inHeads = (t: Tensor) => reshape(t, [t.shape[0] as number, heads, this.#config.width / heads]);
    const g = reshape(gate, [...gate.shape, 1]);
    return { mixed: reshape(add(mul(g, inHeads(a)), mul(sub(1, g), inHeads(m))), u.shape), gate };
  }

  #gate(u: Tensor, m: Tensor, a: Tensor): Tensor {
    const bias = this.get('gate_bias');
    if (this.#config.gate === 'static') return sigmoid(bias);
    const weight = this.get('gate_weight');
    const { width } = this.#config;
    // [u; m; a] W is the sum of three products with parts of W; nothing is copied together.
    const part = (x: Tensor, i: number) => matmul(x, slice(weight, [i * width], [(i + 1) * width]));
    return sigmoid(add(add(part(u, 0), part(m, 1)), add(part(a, 2), bias)));
  }
}
