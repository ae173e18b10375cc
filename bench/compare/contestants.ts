// Who takes part, and how networks are brought to one number of parameters.
import { UamError } from '../../src/errors.js';
import { type ClassifierConfig, classifierConfig, classifierParameterCount } from '../../src/heads/cell_classifier.js';
import type { TokensConfig } from '../../src/tokens/tokens_config.js';
import type { BackboneConfig, BackboneOptions } from '../../src/uam/config.js';
import { matchParameters, parameterCount } from '../../src/uam/parameter_count.js';

/** A network of the package or a model of scikit-learn. */
export type Contestant = Network | { name: string; kind: 'logistic' | 'trees' };

export interface Network {
  name: string;
  kind: 'network';
  /** What differs from the study's size. */
  backbone: BackboneOptions;
  /** Default: the study's. */
  tokens?: Partial<TokensConfig>;
  uam?: true;
}

export const UAM_MODELS: readonly Contestant[] = Object.freeze([
  { name: 'UAM Amamba', kind: 'network', backbone: { architecture: 'amamba' }, uam: true },
  { name: 'UAM Amamba-MoE', kind: 'network', backbone: { architecture: 'amamba-moe' }, uam: true },
] as const);

export const NETWORKS: readonly Contestant[] = Object.freeze([
  { name: 'Transformer', kind: 'network', backbone: { architecture: 'transformer' } },
  { name: 'BiMamba', kind: 'network', backbone: { architecture: 'bimamba' } },
  { name: 'Serial 1:1', kind: 'network', backbone: { architecture: 'serial-1:1' } },
  { name: 'Serial 1:7', kind: 'network', backbone: { architecture: 'serial-1:7' } },
  { name: 'Parallel static', kind: 'network', backbone: { architecture: 'parallel' } },
  { name: 'MLP', kind: 'network', backbone: { architecture: 'mlp' } },
] as const);

/** Where a sequence is one cell, tokens that never meet tell the last one nothing: there the perceptron gets all features as one. */
export const WITHOUT_SEQUENCES: readonly Contestant[] = Object.freeze(
  NETWORKS.map((one) => (one.name === 'MLP' ? { ...one, tokens: { kind: 'vector' } as const } : one)),
);

export const RELEASED: Contestant = Object.freeze({
  name: 'Released MoE',
  kind: 'network',
  backbone: { architecture: 'released-moe' },
} as const);

export const PEERS: readonly Contestant[] = Object.freeze([
  { name: 'Logistic regression', kind: 'logistic' },
  { name: 'Gradient-boosted trees', kind: 'trees' },
] as const);

/** Amamba and Amamba-MoE with one thing changed each. */
export const ABLATIONS: readonly Contestant[] = Object.freeze([
  { name: 'Amamba, gate per channel', kind: 'network', backbone: { architecture: 'amamba', gate: 'channel' } },
  { name: 'Amamba, static gate', kind: 'network', backbone: { architecture: 'amamba', gate: 'static' } },
  { name: 'Amamba, context as queries', kind: 'network', backbone: { architecture: 'amamba', context: 'q' } },
  { name: 'Amamba, one direction', kind: 'network', backbone: { architecture: 'amamba', bidirectional: false } },
  { name: 'Amamba, attention alone', kind: 'network', backbone: { architecture: 'amamba', mode: 'attention' } },
  { name: 'Amamba, Mamba alone', kind: 'network', backbone: { architecture: 'amamba', mode: 'mamba' } },
  { name: 'Amamba-MoE, soft', kind: 'network', backbone: { architecture: 'amamba-moe', topK: 4 } },
] as const);

/** What a network is made for. */
export interface Fit {
  features: number;
  classes: number;
  tokens: Partial<TokensConfig>;
}

const SLACK = 0.05;

/**
 * The configuration of a network with as many parameters, all counted, as Amamba of the study's size: the inner width of its
 * feed-forward networks (or experts) is set for that. Where the layers alone have more (eight layers of Serial 1:7), all of it is
 * narrowed, as little as will do.
 *
 * @throws UamError `UAM_ARGUMENT` where nothing comes within 5 %
 */
export function matchedConfig(
  { backbone, tokens }: Pick<Network, 'backbone' | 'tokens'>,
  size: BackboneOptions,
  { features, classes, ...fit }: Fit,
): ClassifierConfig {
  const reference = classifierConfig({ features, classes, tokens: fit.tokens, backbone: { ...size, architecture: 'amamba' } });
  const target = classifierParameterCount(reference).total;
  const { heads, width } = reference.backbone;
  for (let narrower = width; narrower >= heads; narrower -= heads) {
    const options = unsized({ ...size, ...backbone, width: narrower }, backbone);
    const config = classifierConfig({ features, classes, tokens: tokens ?? fit.tokens, backbone: options });
    const around = classifierParameterCount(config).total - parameterCount(config.backbone).total;
    const matched = { ...config, backbone: innerMatched(config.backbone, target - around) };
    const { total } = classifierParameterCount(matched);
    if (Math.abs(total - target) <= SLACK * target && innerOf(matched.backbone) >= LEAST_INNER) return matched;
  }
  throw new UamError('UAM_ARGUMENT', `${backbone.architecture}: no width gives ${target} parameters within 5 %`);
}

/** Feed-forward networks narrower than this do nothing worth the name. */
const LEAST_INNER = 8;

const innerOf = ({ architecture, ffn, expertFfn }: BackboneConfig) =>
  architecture === 'amamba-moe' || architecture === 'released-moe' ? expertFfn : ffn;

/** The size's own depth is not for those whose depth is what they are. */
function unsized(options: BackboneOptions, own: BackboneOptions): BackboneOptions {
  if (own.architecture !== 'serial-1:7') return options;
  const { depth: _, ...rest } = options;
  return rest;
}

/** `matchParameters`; the configuration as it is where that finds none, for the caller to see that it does not fit. */
function innerMatched(config: BackboneConfig, target: number): BackboneConfig {
  try {
    return matchParameters(config, target);
  } catch (error) {
    if (error instanceof UamError && error.code === 'UAM_ARGUMENT') return { ...config, ffn: 1, expertFfn: 1 };
    throw error;
  }
}

/** Width and depth as tables tell them. */
export function shapeOf(config: ClassifierConfig): string {
  const { width, depth } = config.backbone;
  return `${width} x ${depth}`;
}
