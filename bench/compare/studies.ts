// What is compared with what: a study is one data set, one tokeniser and one setting, the same for all who take part.
import { UamError } from '../../src/errors.js';
import type { TokensConfig } from '../../src/tokens/tokens_config.js';
import type { FitOptions } from '../../src/train/fit_options.js';
import type { BackboneOptions } from '../../src/uam/config.js';
import { ABLATIONS, type Contestant, NETWORKS, PEERS, RELEASED, UAM_MODELS, WITHOUT_SEQUENCES } from './contestants.js';
import type { FirstTrials, LogisticTrial, NetworkTrial } from './trials.js';

export interface Study extends FirstTrials {
  name: string;
  title: string;
  task: string;
  tokens: Partial<TokensConfig>;
  /** Amamba's size; the others are matched to its number of parameters. */
  size: BackboneOptions;
  fit: Omit<FitOptions, 'validation' | 'scaling' | 'signal' | 'onProgress'> & { learningRate: number; epochs: number };
  /** The most features: those that tell the classes of the training points apart best. Default: all. */
  features?: number;
  /** The most labelled points that are learned from, and that decide when to stop, drawn class by class. Default: all. */
  points?: number;
  contestants: readonly Contestant[];
}

/** What tables need of a study. */
export type StudyNames = Pick<Study, 'name' | 'title' | 'contestants'>;

const STANDARD: NetworkTrial = Object.freeze({
  ...{ rate: 1, weightDecay: 0.05, dropout: 0.1, dropPath: 0.1, noise: 0.05, hide: 0.05, labelSmoothing: 0.05 },
});

/** Many columns that say the same want a strong penalty; with few of them scikit-learn's own default is right. */
const MANY: LogisticTrial = Object.freeze({ C: 0.01 });
const FEW: LogisticTrial = Object.freeze({ C: 1 });

const S: BackboneOptions = Object.freeze({ size: 'S' });
export const SMALL: BackboneOptions = Object.freeze({ size: 'S', width: 32, depth: 2, heads: 4, state: 16, ffn: 96, expertFfn: 48 });

const EVERYONE = Object.freeze([...UAM_MODELS, ...NETWORKS, RELEASED]);
const ALONE = Object.freeze([...UAM_MODELS, ...WITHOUT_SEQUENCES, RELEASED]);

/** Tiles of cells, as the package learns from them. */
const TILES: Pick<Study, 'task' | 'tokens' | 'size' | 'fit' | keyof FirstTrials> = {
  ...{ task: 'brca_m2c', tokens: { kind: 'cell' }, size: SMALL, standard: STANDARD, logistic: MANY },
  fit: { learningRate: 2e-3, epochs: 8, batch: 2 },
};

/** Cells one by one: a token per feature costs as many times as much as a token per cell, so there are fewer of both. */
const CELLS: Pick<Study, 'task' | 'size' | 'fit' | keyof FirstTrials> = {
  ...{ task: 'brca_m2c', size: SMALL, standard: STANDARD, logistic: MANY },
  fit: { learningRate: 2e-3, epochs: 8, batch: 32 },
};

export const STUDIES: readonly Study[] = Object.freeze([
  { name: 'brca_cell', title: 'brca_m2c, cell tokens', ...TILES, contestants: [...EVERYONE, ...PEERS] },
  {
    ...{ name: 'wdbc_feature', title: 'wdbc, feature tokens', task: 'wdbc', tokens: { kind: 'feature' }, size: SMALL },
    fit: { learningRate: 2e-3, epochs: 20, patience: 6, batch: 32 },
    ...{ standard: STANDARD, logistic: FEW },
    contestants: [...ALONE, ...PEERS],
  },
  { name: 'brca_cell_s', title: 'brca_m2c, cell tokens, size S', ...TILES, size: S, contestants: [...UAM_MODELS, ...NETWORKS] },
  { name: 'brca_ablation', title: 'brca_m2c, cell tokens: one thing changed', ...TILES, contestants: [...UAM_MODELS, ...ABLATIONS] },
  {
    ...{ name: 'brca_vector', title: 'brca_m2c, vector tokens: each cell alone', ...CELLS, tokens: { kind: 'vector' } },
    fit: { learningRate: 2e-3, epochs: 8, batch: 256 },
    contestants: [...UAM_MODELS, ...NETWORKS],
  },
  {
    ...{
      name: 'brca_feature',
      title: 'brca_m2c, feature tokens',
      ...CELLS,
      tokens: { kind: 'feature' },
      features: 24,
      points: 1000,
      logistic: FEW,
    },
    contestants: [...ALONE, ...PEERS],
  },
  {
    ...{ name: 'brca_chunk', title: 'brca_m2c, chunks of features', ...CELLS, tokens: { kind: 'chunk' }, points: 1000 },
    contestants: [...ALONE, ...PEERS],
  },
  {
    ...{ name: 'puma_shapes_cell', title: 'puma_shapes, cell tokens', ...TILES, task: 'puma_shapes', logistic: FEW },
    fit: { learningRate: 2e-3, epochs: 5, batch: 2 },
    contestants: [...EVERYONE, ...PEERS],
  },
] satisfies Study[]);

export function studyNamed(name: string, studies: readonly Study[] = STUDIES): Study {
  const found = studies.find((study) => study.name === name);
  if (!found) throw new UamError('UAM_ARGUMENT', `no study '${name}'; there are ${studies.map((study) => study.name).join(', ')}`);
  return found;
}
