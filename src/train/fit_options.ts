// What a training run can be told, checked and completed: section 6 of the specification has the defaults.
import { mismatch, UamError } from '../errors.js';
import type { ScalingOptions } from '../tokens/scaling.js';
import type { CellDataset } from './dataset.js';

/** How cells are changed from step to step, so that the model learns what stays. */
export interface Augmentation {
  /** Standard deviation of normal noise on scaled features. Default 0.05. */
  noise: number;
  /** Share of the features that are hidden. Default 0.05. */
  hide: number;
  /** Share of the cells that are left out of a tile (cell tokens). Default 0.1. */
  dropCells: number;
  /** Whether tiles are turned by right angles and mirrored; features that depend on orientation are then not used. Default true. */
  turn: boolean;
}

/** What decides the outcome of a run, together with the data: the same settings give the same bits. */
export interface FitSettings {
  /** Passes over the training cells. Default 30. */
  epochs: number;
  /** Cells per step, or tiles with cell tokens. Default 1024 or 2: a study has few tiles, and learns from steps. */
  batch: number;
  /** Tokens that are differentiated at once: a step is cut into such parts, and gradients add up. Bounds memory. Default 4096. */
  tokenBudget: number;
  /** Its peak. Default by width: 1e-3 to 64, 5e-4 to 128, 3e-4 beyond; twice that with cell tokens. */
  learningRate: number;
  /** Share of the steps in which the learning rate rises. Default 0.05. */
  warmup: number;
  /** What is left of the learning rate at the end. Default 0.01. */
  finalRate: number;
  /** Of matrices; not of norms, biases, embeddings. Default 0.05. */
  weightDecay: number;
  /** Of Adam's two moments. Default [0.9, 0.98]. */
  betas: readonly [number, number];
  /** The greatest norm of all gradients together. Default 1. */
  clipNorm: number;
  /** Decay of the running mean of the weights, which is what is kept; less in the first steps. Default 0.999. */
  ema: number;
  /** Against unlike classes: weights in the loss (default), cells or tiles drawn by class, or nothing. */
  balance: 'weights' | 'sampler' | 'none';
  /** Share of a label that is spread over all classes. Default 0.05. */
  labelSmoothing: number;
  /** Default: all four. */
  augment: Augmentation;
  /** Epochs without a better macro-F1 on validation before the run ends. Default 8. */
  patience: number;
  /** Default: the model's. */
  seed: number;
}

/** How far a long call is. */
export interface FitProgress {
  /** `extract`: images of a manifest. `prepare`: cells are scaled. `predict`: cells are classified. */
  phase: 'extract' | 'prepare' | 'train' | 'validate' | 'predict';
  /** Steps of training done, of all that there may be; images or cells in other phases. */
  done: number;
  total: number;
  epoch?: number;
  /** Epochs that there are at most; in phases `train` and `validate`. */
  epochs?: number;
  /** Of the last step or, in phase `validate`, the mean over the epoch. */
  loss?: number;
  /** In phase `validate`, where cells have labels. */
  macroF1?: number | undefined;
  /** In phase `validate`, where regions are known. */
  dice?: number | undefined;
}

export interface FitOptions extends Partial<Omit<FitSettings, 'augment'>> {
  /** False: none. */
  augment?: Partial<Augmentation> | false;
  /**
   * What decides when to stop, and the temperature: a dataset, or a share of the patients (0: none, all epochs are run). Default: the
   * samples whose split is `validation`, or where there is none a fifth of the patients.
   */
  validation?: CellDataset | number;
  /** How features are scaled. */
  scaling?: ScalingOptions;
  /** A file to continue from, written after every epoch and when `signal` ends the run: replaced as a whole, so a killed run leaves a sound
   * one. */
  checkpoint?: string;
  /** Also write it every so many steps. Default: never. */
  checkpointEvery?: number;
  /** Continues from `checkpoint` where it exists, to the same bits as a run that was never interrupted. Default false. */
  resume?: boolean;
  /** A file of JSON lines: one per step and per epoch. */
  log?: string;
  /** Where to train, see `OnDevice`. Default: where the model was made for. Other bits come of another device, of the same quality. */
  device?: string | undefined;
  /** Ends the run; the promise rejects with `UAM_ABORTED`. */
  signal?: AbortSignal;
  onProgress?: (progress: FitProgress) => void;
}

export const DEFAULT_AUGMENTATION: Augmentation = Object.freeze({ noise: 0.05, hide: 0.05, dropCells: 0.1, turn: true });

const NO_AUGMENTATION: Augmentation = Object.freeze({ noise: 0, hide: 0, dropCells: 0, turn: false });

/** Options that are not settings: they do not change the outcome. */
const OTHERS = Object.freeze(['validation', 'scaling', 'checkpoint', 'checkpointEvery', 'resume', 'log', 'device', 'signal', 'onProgress']);

const peakFor = (width: number, tiles: boolean): number => (tiles ? 2 : 1) * (width <= 64 ? 1e-3 : width <= 128 ? 5e-4 : 3e-4);

type Range = readonly [least: number, most: number, whole?: 'whole'];

const RANGES: Readonly<Record<string, Range>> = Object.freeze({
  ...{ epochs: [1, 1e6, 'whole'], batch: [1, 1e9, 'whole'], tokenBudget: [1, 1e9, 'whole'], patience: [1, 1e9, 'whole'] },
  ...{ learningRate: [0, 10], warmup: [0, 1], finalRate: [0, 1], weightDecay: [0, 10], ema: [0, 1], labelSmoothing: [0, 1] },
  ...{ clipNorm: [1e-12, 1e12], seed: [0, 2 ** 32 - 1, 'whole'], noise: [0, 100], hide: [0, 1], dropCells: [0, 0.999] },
} as const);

function checkNumber(name: string, value: unknown): void {
  const [least, most, whole] = RANGES[name] as Range;
  if (typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))) return;
  throw mismatch('UAM_ARGUMENT', `fit: ${name}`, `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`, String(value));
}

/**
 * @param width of the model
 * @param tiles whether it is trained on tiles
 * @throws UamError `UAM_ARGUMENT` for unknown options and values that cannot be
 */
export function fitSettings(options: FitOptions, width: number, tiles: boolean, modelSeed: number): FitSettings {
  const settings: FitSettings = {
    ...{ epochs: 30, batch: tiles ? 2 : 1024, tokenBudget: 4096, learningRate: peakFor(width, tiles), warmup: 0.05, finalRate: 0.01 },
    ...{ weightDecay: 0.05, betas: [0.9, 0.98], clipNorm: 1, ema: 0.999, balance: 'weights', labelSmoothing: 0.05 },
    ...{ augment: DEFAULT_AUGMENTATION, patience: 8, seed: modelSeed },
  };
  for (const [name, value] of Object.entries(options)) {
    if (OTHERS.includes(name) || value === undefined) continue;
    if (!Object.hasOwn(settings, name)) {
      const known = [...Object.keys(settings), ...OTHERS].join(', ');
      throw new UamError('UAM_ARGUMENT', `fit: there is no option '${name}'; the options are ${known}`);
    }
    if (name !== 'augment') Object.assign(settings, { [name]: value });
  }
  const { augment = {} } = options;
  settings.augment = augment === false ? NO_AUGMENTATION : { ...DEFAULT_AUGMENTATION, ...augment };
  check(settings);
  return settings;
}

function check(settings: FitSettings): void {
  const { augment, balance, betas } = settings;
  const unknown = Object.keys(augment).find((name) => !Object.hasOwn(DEFAULT_AUGMENTATION, name));
  if (unknown !== undefined) {
    throw mismatch('UAM_ARGUMENT', 'fit: augment', `made of ${Object.keys(DEFAULT_AUGMENTATION).join(', ')}`, `'${unknown}'`);
  }
  for (const [name, value] of Object.entries({ ...settings, ...augment })) if (Object.hasOwn(RANGES, name)) checkNumber(name, value);
  if (typeof augment.turn !== 'boolean') throw mismatch('UAM_ARGUMENT', 'fit: augment.turn', 'true or false', String(augment.turn));
  if (!['weights', 'sampler', 'none'].includes(balance)) {
    throw mismatch('UAM_ARGUMENT', 'fit: balance', 'weights, sampler or none', String(balance));
  }
  if (!(Array.isArray(betas) && betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1))) {
    throw mismatch('UAM_ARGUMENT', 'fit: betas', 'two numbers, at least 0 and below 1', String(betas));
  }
}

/** What is kept of a run while it goes on: see `FitOptions`. */
export interface Keeping {
  checkpoint: string | undefined;
  checkpointEvery: number | undefined;
  resume: boolean;
  log: string | undefined;
}

/** @throws UamError `UAM_ARGUMENT` */
export function keepingOf(options: Pick<FitOptions, 'checkpoint' | 'checkpointEvery' | 'resume' | 'log'>): Keeping {
  const { checkpoint, checkpointEvery, resume = false, log } = options;
  if (resume && !checkpoint) throw new UamError('UAM_ARGUMENT', 'fit: resume needs checkpoint, the file to go on from');
  if (checkpointEvery !== undefined && !(Number.isInteger(checkpointEvery) && checkpointEvery >= 1)) {
    throw new UamError('UAM_ARGUMENT', `fit: checkpointEvery must be a number of steps, received ${String(checkpointEvery)}`);
  }
  return { checkpoint, checkpointEvery, resume, log };
}

/** The learning rate of a step, from 0: a linear rise, then half a cosine. */
export function learningRateAt(step: number, total: number, { learningRate, warmup, finalRate }: FitSettings): number {
  const rising = Math.ceil(warmup * total);
  if (step < rising) return (learningRate * (step + 1)) / rising;
  const share = Math.min(1, (step - rising) / Math.max(1, total - 1 - rising));
  return learningRate * (finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * share)));
}
