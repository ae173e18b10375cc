// All that a training run is at one moment, and the file that it can go on from.
import { mismatch, UamError } from '../errors.js';
import { readCheckpoint, type StoredTensor, writeCheckpoint } from '../nn/checkpoint.js';
import type { Module } from '../nn/module.js';
import type { AdamwState } from '../ops/adamw.js';
import { mul, sub } from '../ops/binary.js';
import { accumulate } from '../tensor/accumulate.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { WeightBlock } from './weight_block.js';

/** What an epoch came to. */
export interface EpochRecord {
  epoch: number;
  /** Steps taken until its end. */
  step: number;
  /** Mean of the loss over the epoch's steps, with what training adds to it. */
  loss: number;
  /** Of the running mean of the weights on the cells of validation; undefined without any. */
  macroF1: number | undefined;
  /** Of the regions likewise; absent without any. */
  dice?: number | undefined;
  /** Mean cross entropy on validation; undefined without one. */
  validationLoss: number | undefined;
}

/** Where a run stands: plain numbers, kept as JSON. */
export interface Position {
  /** Steps taken. */
  step: number;
  epoch: number;
  /** Steps taken in this epoch. */
  stepInEpoch: number;
  /** Batches that drew random numbers: the counter of the generator, whose key is the seed. */
  draws: number;
  /** Sum of the losses of this epoch's steps. */
  lossSum: number;
  history: EpochRecord[];
  bestEpoch: number;
  /** Whether no epoch is left to run. */
  finished: boolean;
}

/** Parameters, moments, running mean, best weights and position of a run; the numbers are where the model is. */
export class TrainingState {
  readonly names: readonly string[];
  readonly parameters: readonly Tensor[];
  readonly moments: AdamwState;
  /** Running mean of the parameters. */
  readonly mean: WeightBlock;
  /** The mean at the best epoch so far. */
  readonly best: WeightBlock;
  readonly #own: WeightBlock;
  readonly #moments: { m: WeightBlock; v: WeightBlock };
  position: Position = {
    ...{ step: 0, epoch: 0, stepInEpoch: 0, draws: 0, lossSum: 0, history: [], bestEpoch: -1, finished: false },
  };

  constructor(model: Module) {
    this.#own = WeightBlock.under(model);
    const { layout, parts } = this.#own;
    const [m, v] = [new WeightBlock(layout, model.device), new WeightBlock(layout, model.device)];
    this.names = layout.names;
    this.parameters = parts;
    this.#moments = { m, v };
    this.moments = { step: 0, m: [...m.parts], v: [...v.parts], vMax: undefined };
    this.mean = this.#own.copy();
    this.best = this.#own.copy();
  }

  /** Takes the present parameters into the running mean; the first steps weigh more, so that it does not stay where it began. */
  average(decay: number): void {
    const { step } = this.position;
    const share = 1 - Math.min(decay, (1 + step) / (10 + step));
    const [{ all: own }, { all: means }] = [this.#own, this.mean];
    if (own.device !== 'cpu') return scope(() => noGrad(() => accumulate(means, mul(sub(own, means), share))));
    const [mean, data] = [means.data, own.data];
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + share * ((data[i] as number) - (mean[i] as number));
  }

  /** Remembers the mean as the best weights. */
  keepBest(): void {
    this.best.all.set(this.mean.all);
    this.position.bestEpoch = this.position.epoch;
  }

  /** Runs `body` with other weights in the model, and puts its own back. */
  async withWeights<T>(weights: WeightBlock, body: () => Promise<T>): Promise<T> {
    const { all } = this.#own;
    const own = all.clone().keep();
    all.set(weights.all);
    try {
      return await body();
    } finally {
      all.set(own);
      own.dispose();
    }
  }

  /** The blocks of the state by what they are called in a file. */
  get #blocks(): [string, WeightBlock][] {
    const { m, v } = this.#moments;
    return Object.entries({ model: this.#own, m, v, mean: this.mean, best: this.best });
  }

  /**
   * @param fingerprint of what the run is: data and settings
   * @throws UamError `UAM_IO`
   */
  async save(path: string, fingerprint: string): Promise<void> {
    const state = JSON.stringify({ ...this.position, adamStep: this.moments.step });
    const arrays = new Map<string, StoredTensor>();
    for (const [prefix, block] of this.#blocks) {
      for (const { name, ...stored } of await block.onHost()) arrays.set(`${prefix}.${name}`, stored);
    }
    await writeCheckpoint(path, arrays, { 'uam.training': '1', 'uam.fingerprint': fingerprint, 'uam.position': state });
  }

  /**
   * Goes on from a file, whichever device wrote it.
   *
   * @throws UamError `UAM_INPUT`, `UAM_FORMAT`; `UAM_DATA` where it is another run's
   */
  async resume(path: string, fingerprint: string): Promise<void> {
    const { tensors, metadata } = await readCheckpoint(path);
    if (metadata.get('uam.training') !== '1')
      throw new UamError('UAM_FORMAT', `${path}: not a checkpoint of a training run of this version`);
    if (metadata.get('uam.fingerprint') !== fingerprint) {
      throw new UamError(
        'UAM_DATA',
        `${path}: this checkpoint is of a run with other cells, settings or model; give the same ones, or another checkpoint file`,
      );
    }
    const position = positionFrom(metadata.get('uam.position') ?? '', path);
    const places = this.#blocks.flatMap(([prefix, { parts }]) => parts.map((part, p) => [`${prefix}.${this.names[p]}`, part] as const));
    for (const [name, part] of places) {
      const { shape } = part;
      const found = tensors.get(name);
      if (!found || String(found.shape) !== String(shape) || !(found.data instanceof Float32Array)) {
        throw mismatch('UAM_FORMAT', `${path}: ${name}`, `float32 of shape [${shape}]`, found ? `[${found.shape}]` : 'nothing');
      }
      if (!found.data.every(Number.isFinite)) throw new UamError('UAM_FORMAT', `${path}: ${name} holds numbers that are not finite`);
      part.set(found.data);
    }
    const { adamStep, ...rest } = position;
    this.moments.step = adamStep;
    this.position = { ...this.position, ...rest }; // keys in the order of a run without a break: so are the bytes of its next file
  }

  dispose(): void {
    for (const [, block] of this.#blocks) block.dispose();
  }
}

/** A position from a file: counts are whole numbers, losses finite. */
function positionFrom(text: string, path: string): Position & { adamStep: number } {
  const refuse = (cause?: unknown) =>
    new UamError('UAM_FORMAT', `${path}: its position in the run is not as this version writes it`, { cause });
  let value: Position & { adamStep: number };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(error);
  }
  const { step, epoch, stepInEpoch, draws, adamStep, bestEpoch, lossSum, history, finished } = value ?? {};
  const counts = [step, epoch, stepInEpoch, draws, adamStep].every((count) => Number.isSafeInteger(count) && count >= 0);
  const sound = counts && Number.isSafeInteger(bestEpoch) && Number.isFinite(lossSum) && typeof finished === 'boolean';
  if (!sound || !Array.isArray(history) || !history.every((record) => Number.isFinite(record?.loss))) throw refuse();
  return { step, epoch, stepInEpoch, draws, adamStep, bestEpoch, lossSum, history, finished };
}
