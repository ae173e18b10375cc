import { mismatch } from '../errors.js';
import type { Initializer } from '../nn/initializer.js';
import { CellTokens, VectorTokens } from './cell_tokens.js';
import { ChunkTokens } from './chunk_tokens.js';
import { FeatureTokens, type Readout } from './feature_tokens.js';
import type { Tokeniser } from './tokeniser.js';

/**
 * `feature`: a token per feature, a sequence per cell; `cell`: a token per cell, a sequence per tile; `chunk`: a token per 16
 * features; `vector`: a token per cell, a sequence of one.
 */
export const TOKENISERS = Object.freeze(['feature', 'cell', 'chunk', 'vector'] as const);
export type TokeniserKind = (typeof TOKENISERS)[number];

export interface TokensConfig {
  /** See `TOKENISERS`. Default `'feature'`. */
  kind: TokeniserKind;
  /** What stands for a cell, with feature tokens and chunks. Default `'cls'`. */
  readout: Readout;
  /** How far a cell sees, in micrometres, with cell tokens. Default 64. */
  radius: number;
  /** How many other cells it sees at most. Default 64. */
  neighbours: number;
  /** `'near'` (default), or `'all'`: in tiles of at most 2048 cells every cell sees all. */
  attention: 'near' | 'all';
}

/**
 * A complete, checked configuration.
 *
 * @throws UamError `UAM_ARGUMENT` for unknown names and values that cannot be
 * @example
 * tokensConfig({ kind: 'cell' }).radius;   // 64
 */
export function tokensConfig(given: Partial<TokensConfig> = {}): TokensConfig {
  const config: TokensConfig = { kind: 'feature', readout: 'cls', radius: 64, neighbours: 64, attention: 'near' };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(config, name)) throw mismatch('UAM_ARGUMENT', 'tokens: settings', Object.keys(config).join(', '), `'${name}'`);
    if (value !== undefined) Object.assign(config, { [name]: value });
  }
  const { kind, readout, radius, neighbours, attention } = config;
  if (!TOKENISERS.includes(kind)) throw mismatch('UAM_ARGUMENT', 'tokens: kind', TOKENISERS.join(', '), String(kind));
  if (readout !== 'cls' && readout !== 'mean') throw mismatch('UAM_ARGUMENT', 'tokens: readout', 'cls or mean', String(readout));
  if (attention !== 'near' && attention !== 'all') throw mismatch('UAM_ARGUMENT', 'tokens: attention', 'near or all', String(attention));
  if (!(radius > 0 && radius < 1e6)) throw mismatch('UAM_ARGUMENT', 'tokens: radius', 'micrometres above 0', String(radius));
  if (!(Number.isInteger(neighbours) && neighbours >= 1 && neighbours <= 4096)) {
    throw mismatch('UAM_ARGUMENT', 'tokens: neighbours', 'an integer from 1 to 4096', String(neighbours));
  }
  return config;
}

/** Parameters of a tokeniser, without making it. */
export function tokenParameterCount({ kind }: TokensConfig, features: number, width: number): number {
  const perceptron = 2 * features * width + width + width * width + width;
  return { feature: 3 * features * width + width, chunk: 16 * width + 2 * width, vector: perceptron, cell: perceptron + 65 * width }[kind];
}

export function makeTokeniser({ kind, readout, radius }: TokensConfig, features: number, width: number, start: Initializer): Tokeniser {
  switch (kind) {
    case 'feature':
      return new FeatureTokens(features, width, start, readout);
    case 'chunk':
      return new ChunkTokens(features, width, start, readout);
    case 'vector':
      return new VectorTokens(features, width, start);
    default:
      return new CellTokens(features, width, start, radius);
  }
}
