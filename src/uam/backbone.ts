import { mismatch, UamError } from '../errors.js';
import type { Initializer } from '../nn/initializer.js';
import type { TokenLayout } from '../nn/layout.js';
import { Module } from '../nn/module.js';
import { rms } from '../nn/norm.js';
import { add } from '../ops/binary.js';
import { checkpoint } from '../tensor/checkpoint.js';
import { context } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { format } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { AmambaLayer } from './amamba.js';
import { AmambaMoeLayer } from './amamba_moe.js';
import { type BackboneConfig, type Mixer, mixerOf } from './config.js';
import { FixedRatioLayer } from './fixed_ratio.js';
import type { Layer, LayerInput, LayerOutput } from './layer.js';
import { LayerNoise, type TrainingStep } from './noise.js';
import { ReleasedMoeLayer } from './released_moe.js';

/** Factors of the two losses of a mixture of experts, which are added to the loss of the task. */
export const EXPERT_LOSSES = Object.freeze({ loadBalance: 1e-2, zLoss: 1e-3 });

export interface BackboneRun {
  /** In training mode: the step, from which random numbers follow. */
  at?: TrainingStep | undefined;
  /** Keeps only what goes into each layer and computes the rest again in the backward pass: less memory, more time. Default false. */
  recompute?: boolean;
  /** Changes the tokens once, when `after` layers are through: where another model meets this one. */
  meeting?: { after: number; change: (tokens: Tensor) => Tensor } | undefined;
}

export interface BackboneOutput {
  /** [tokens, width], after the last norm. */
  states: Tensor;
  /** Per layer that mixes: the share of attention. Its mean is the effective ratio, which nobody has to set. */
  attentionShares: Tensor[];
  /** Summed over the layers; undefined without experts. */
  loadBalance?: Tensor | undefined;
  /** Summed over the layers; undefined without experts. */
  zLoss?: Tensor | undefined;
}

function layerOf(config: BackboneConfig, index: number, start: Initializer): Layer {
  switch (config.architecture) {
    case 'amamba':
      return new AmambaLayer(config, index, start);
    case 'amamba-moe':
      return new AmambaMoeLayer(config, index, start);
    case 'released-moe':
      return new ReleasedMoeLayer(config, index, start);
    default:
      return new FixedRatioLayer(config, mixerOf(config.architecture, index) as Mixer, index, start);
  }
}

/** A layer's results as a list, undefined ones left out: what a recomputed block may return. */
function recomputed(layer: Layer, x: Tensor, input: LayerInput): LayerOutput {
  const names = ['x', 'attentionShare', 'loadBalance', 'zLoss'] as const;
  const present: (typeof names)[number][] = [];
  const list = checkpoint(
    (given: Tensor) => {
      const output = layer.forward(given, input);
      present.splice(0, present.length, ...names.filter((name) => output[name]));
      return present.map((name) => output[name] as Tensor);
    },
    [x],
  );
  return Object.fromEntries(present.map((name, i) => [name, list[i]])) as unknown as LayerOutput;
}

const sumOf = (list: (Tensor | undefined)[]): Tensor | undefined =>
  list.reduce((total, term) => (total && term ? add(total, term) : (total ?? term)), undefined);

/**
 * The backbone: layers of one architecture and a last norm, over packed sequences of tokens. Its parameters are called
 * `layers.<i>.<name>` and `norm`.
 *
 * @example
 * const backbone = new Backbone(backboneConfig({ size: 'S' }), new Initializer(7));
 * const tokens = randomNormal([8, 64], { seed: 1, step: 0 });
 * const { states } = backbone.forward(tokens, { offsets: Int32Array.of(0, 5, 8) });   // sequences of 5 and 3 tokens
 * backbone.parameterCount;   // 380240
 */
export class Backbone extends Module {
  readonly layers: readonly Layer[];

  /** @param config see `backboneConfig` */
  constructor(
    readonly config: BackboneConfig,
    start: Initializer,
  ) {
    super();
    this.layers = Array.from({ length: config.depth }, (_, i) => this.child(`layers.${i}`, layerOf(config, i, start)));
    this.parameter('norm', start.constant([config.width], 1));
  }

  /**
   * @param tokens [tokens, width]
   * @param layout which tokens belong together
   * @throws UamError `UAM_SHAPE` for tokens of another width; `UAM_ARGUMENT` in training mode without `run.at`
   */
  forward(tokens: Tensor, layout: TokenLayout, { at, recompute = false, meeting }: BackboneRun = {}): BackboneOutput {
    const { width, dropout, dropPath, depth } = this.config;
    if (tokens.shape.length !== 2 || tokens.shape[1] !== width) {
      throw mismatch('UAM_SHAPE', 'backbone: tokens', `[tokens, ${width}]`, format(tokens.shape));
    }
    const random = this.training && (dropout > 0 || dropPath > 0);
    if (random && !at) {
      throw new UamError('UAM_ARGUMENT', 'backbone: in training mode dropout needs `at: { seed, step }`; call eval() to do without');
    }
    let x = meeting?.after === 0 ? meeting.change(tokens) : tokens;
    const outputs = this.layers.map((layer, i) => {
      const pathRate = depth > 1 ? (dropPath * i) / (depth - 1) : dropPath;
      const input: LayerInput = { layout, noise: random && at ? new LayerNoise(at, i, dropout, pathRate) : undefined };
      const output = this.#through(layer, x, input, recompute);
      x = meeting?.after === i + 1 ? meeting.change(output.x) : output.x;
      return output;
    });
    return {
      states: rms(x, this.get('norm')),
      attentionShares: outputs.flatMap(({ attentionShare }) => attentionShare ?? []),
      loadBalance: sumOf(outputs.map(({ loadBalance }) => loadBalance)),
      zLoss: sumOf(outputs.map(({ zLoss }) => zLoss)),
    };
  }

  #through(layer: Layer, x: Tensor, input: LayerInput, recompute: boolean): LayerOutput {
    // Where nothing is differentiated, what is inside a layer is gone when it ends: memory is that of one layer, not of all.
    if (!context.recording) return scope(() => layer.forward(x, input));
    return recompute ? recomputed(layer, x, input) : layer.forward(x, input);
  }

  /** Switches every UAM layer between both paths and one of them; parameters stay as they are. */
  setMode(mode: BackboneConfig['mode']): void {
    for (const layer of this.layers) if (layer instanceof AmambaLayer || layer instanceof AmambaMoeLayer) layer.mode = mode;
  }
}
