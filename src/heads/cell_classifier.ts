import { mismatch, UamError } from '../errors.js';
import { Initializer } from '../nn/initializer.js';
import { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Arrangement, arrange } from '../tokens/arrangement.js';
import type { CellBatch } from '../tokens/cell_batch.js';
import type { Tokeniser } from '../tokens/tokeniser.js';
import { makeTokeniser, type TokensConfig, tokenParameterCount, tokensConfig } from '../tokens/tokens_config.js';
import { Backbone, type BackboneOutput, type BackboneRun } from '../uam/backbone.js';
import { type BackboneConfig, type BackboneOptions, backboneConfig } from '../uam/config.js';
import { parameterCount } from '../uam/parameter_count.js';
import { CellClassHead } from './cell_class.js';

export interface ClassifierConfig {
  /** Features per cell, in the order of the scaling. */
  features: number;
  classes: number;
  tokens: TokensConfig;
  backbone: BackboneConfig;
}

export interface ClassifierOptions {
  features: number;
  classes: number;
  /** Default feature tokens. */
  tokens?: Partial<TokensConfig>;
  /** Default size B. */
  backbone?: BackboneOptions;
}

export interface ClassifierOutput extends Omit<BackboneOutput, 'states'> {
  /** [cells, classes] */
  logits: Tensor;
  /** What the backbone makes of each cell, [cells, width]. */
  embeddings: Tensor;
}

const MOST_FEATURES = 1e5;
const MOST_CLASSES = 1e4;

/** A stream of random numbers that no layer uses. */
const HEAD_STREAM = 0x10000000;

/**
 * A complete, checked configuration of a classifier.
 *
 * @throws UamError `UAM_ARGUMENT`
 * @example
 * const config = classifierConfig({ features: 102, classes: 2, backbone: { size: 'S' } });
 * classifierParameterCount(config).total;   // 404242
 */
export function classifierConfig({ features, classes, tokens, backbone }: ClassifierOptions): ClassifierConfig {
  const whole = (name: string, value: number, most: number) => {
    if (!(Number.isInteger(value) && value >= 1 && value <= most)) {
      throw mismatch('UAM_ARGUMENT', `model: ${name}`, `an integer from 1 to ${most}`, String(value));
    }
  };
  whole('features', features, MOST_FEATURES);
  whole('classes', classes, MOST_CLASSES);
  const kind = tokensConfig(tokens);
  const places = kind.kind === 'cell';
  const complete = backboneConfig({ distanceBias: places && backbone?.architecture !== 'released-moe', ...backbone });
  if (complete.distanceBias && !places) throw new UamError('UAM_ARGUMENT', 'model: distanceBias is for cell tokens: others have no places');
  return { features, classes, tokens: kind, backbone: complete };
}

/**
 * Parameters of a classifier without making it, section 4 of the specification; `active`: without experts that a token does not visit.
 *
 * @example
 * classifierParameterCount(classifierConfig({ features: 102, classes: 2 })).total;   // 2164530
 */
export function classifierParameterCount({ features, classes, tokens, backbone }: ClassifierConfig): { total: number; active: number } {
  const { width } = backbone;
  const around = tokenParameterCount(tokens, features, width) + width + width * width + width + width * classes + classes;
  const { total, active } = parameterCount(backbone);
  return { total: total + around, active: active + around };
}

/**
 * Features of cells to logits of their classes: tokeniser, backbone and head. Parameters are called `tokens.`, `backbone.` and `head.`
 * and their names in those. A new classifier is in evaluation mode.
 *
 * @example
 * const model = new CellClassifier(classifierConfig({ features: 10, classes: 3, backbone: { size: 'S' } }), 7);
 * const { logits } = noGrad(() => model.forward({ features: Tensor.zeros([4, 10]) }));
 * logits.shape;   // [4, 3]
 */
export class CellClassifier extends Module {
  readonly tokeniser: Tokeniser;
  readonly backbone: Backbone;
  readonly head: CellClassHead;

  /**
   * @param config see `classifierConfig`
   * @param seed of the values to start from
   */
  constructor(
    readonly config: ClassifierConfig,
    seed: number,
  ) {
    super();
    const start = new Initializer(seed);
    const { features, classes, tokens, backbone } = config;
    const { width, dropout } = backbone;
    this.tokeniser = this.child('tokens', makeTokeniser(tokens, features, width, start));
    this.backbone = this.child('backbone', new Backbone(backbone, start));
    this.head = this.child('head', new CellClassHead({ width, classes, dropout }, start));
  }

  /** The arrangement of cells that this model's tokens need, or undefined where they need none: see `arrange`. */
  arrange(positions: Float64Array, tiles?: Int32Array): Arrangement | undefined {
    const { kind, radius, neighbours, attention } = this.config.tokens;
    return kind === 'cell' ? arrange(positions, tiles, { radius, neighbours, attention }) : undefined;
  }

  /**
   * @param batch see `cellBatch`
   * @throws UamError `UAM_SHAPE` for cells with another number of features, `UAM_ARGUMENT` in training mode without `run.at`
   */
  forward(batch: CellBatch, run: BackboneRun = {}): ClassifierOutput {
    const { x, layout, readout } = this.tokeniser.forward(batch);
    const { states, ...rest } = this.backbone.forward(x, layout, run);
    const embeddings = readout(states);
    const logits = this.head.forward(embeddings, run.at && { ...run.at, stream: HEAD_STREAM });
    return { logits, embeddings, ...rest };
  }
}
