import { MultiHeadAttention } from '../nn/attention.js';
import { SwiGlu } from '../nn/feed_forward.js';
import type { Initializer } from '../nn/initializer.js';
import { BiMamba } from '../nn/mamba.js';
import { addRms, rms } from '../nn/norm.js';
import { add, mul } from '../ops/binary.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BackboneConfig, Mixer } from './config.js';
import { Layer, type LayerInput, type LayerOutput } from './layer.js';

/**
 * A layer of the architectures that UAM is compared with: y = x + Mixer(RMS1(x)), then y + SwiGlu(RMS3(y)). The mixer is attention,
 * a Mamba block, both side by side (`parallel`: the mean of their norms, which are learned constants per channel), or none.
 *
 * @example
 * const config = backboneConfig({ size: 'S', architecture: 'transformer' });
 * const layer = new FixedRatioLayer(config, 'attention', 0, new Initializer(1));
 */
export class FixedRatioLayer extends Layer {
  readonly #mixer: Mixer;
  readonly #mamba: BiMamba | undefined;
  readonly #attention: MultiHeadAttention | undefined;
  readonly #feedForward: SwiGlu;

  constructor(config: BackboneConfig, mixer: Mixer, index: number, start: Initializer) {
    super(index);
    const { width, heads, state, bidirectional, distanceBias, ffn } = config;
    this.#mixer = mixer;
    if (mixer !== 'none') this.parameter('norm1', start.constant([width], 1));
    this.parameter('norm3', start.constant([width], 1));
    if (mixer === 'parallel') for (const name of ['norm_m', 'norm_a']) this.parameter(name, start.constant([width], 1));
    if (mixer === 'mamba' || mixer === 'parallel') this.#mamba = this.child('', new BiMamba({ width, state, bidirectional }, start));
    if (mixer === 'attention' || mixer === 'parallel') {
      this.#attention = this.child('', new MultiHeadAttention({ width, heads, distanceBias }, start));
    }
    this.#feedForward = this.child('', new SwiGlu(width, ffn, start));
  }

  forward(x: Tensor, input: LayerInput): LayerOutput {
    const mixed = this.#mix(x, input);
    const norm3 = this.get('norm3');
    const { out: v, sum: y } = mixed ? addRms(x, this.branch(mixed, 0, input), norm3) : { out: rms(x, norm3), sum: x };
    return { x: add(y, this.branch(this.#feedForward.forward(v), 1, input)) };
  }

  #mix(x: Tensor, { layout }: LayerInput): Tensor | undefined {
    if (this.#mixer === 'none') return undefined;
    const u = rms(x, this.get('norm1'));
    const m = this.#mamba?.forward(u, layout.offsets, this.orderOf(layout));
    const a = this.#attention?.forward(u, u, layout);
    if (m && a) return mul(add(rms(m, this.get('norm_m')), rms(a, this.get('norm_a'))), 0.5);
    return m ?? a;
  }
}
