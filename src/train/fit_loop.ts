// The training run itself: section 6 of the specification.
import { stat } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { CellClassifier, type ClassifierConfig } from '../heads/cell_classifier.js';
import { adamwStep } from '../ops/adamw.js';
import { concat, reshape } from '../ops/copy_strided.js';
import { backward } from '../tensor/autograd.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { CellLearner } from './cell_learner.js';
import { deviceOf } from './devices.js';
import type { Item } from './epoch_plan.js';
import { type FitProgress, type FitSettings, type Keeping, learningRateAt } from './fit_options.js';
import type { Learner, Part, Validation } from './learner.js';
import { Pace, refuseAborted } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { TrainingLog } from './training_log.js';
import { type EpochRecord, TrainingState } from './training_state.js';

/** What every training run is told. */
export interface RunTask extends Keeping {
  settings: FitSettings;
  /** Names data and settings, so that a checkpoint is not taken for another run's. */
  fingerprint: string;
  /** See `ChosenDevice`. A checkpoint goes on on any. */
  device: string;
}

/** A training run of cells: plain data, which may go to another thread. */
export interface FitTask extends RunTask {
  config: ClassifierConfig;
  training: PackedCells;
  validation: PackedCells | undefined;
}

/** What a run leaves. */
export interface FitOutcome {
  /** The running mean of the weights at the best epoch, by name. */
  weights: Map<string, { shape: readonly number[]; data: Float32Array }>;
  history: EpochRecord[];
  bestEpoch: number;
  steps: number;
  /** Fitted on validation; 1 without one. */
  temperature: number;
}

export interface FitCall {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: FitProgress) => void) | undefined;
}

/** Trains a classifier of cells from its seed, or from a checkpoint. */
export async function runFit(task: FitTask, call: FitCall = {}): Promise<FitOutcome> {
  const model = new CellClassifier(task.config, task.settings.seed).to(deviceOf(task.device).device);
  const learner = new CellLearner(model, task, new Pace('fit', call.signal));
  return teach(learner, task, call);
}

/** Runs a learner's training to its end, and disposes of its model. */
export async function teach(learner: Learner, task: RunTask, call: FitCall): Promise<FitOutcome> {
  const state = new TrainingState(learner.model);
  try {
    return await new FitRun(task, learner, state, call).run();
  } finally {
    state.dispose();
    learner.model.dispose();
  }
}

class FitRun {
  readonly #pace: Pace;
  readonly #log: TrainingLog;
  readonly #decays: number[];
  readonly #stepsPerEpoch: number;
  /** The generator's counter at the end of the last whole step. */
  #draws = 0;

  constructor(
    private readonly task: RunTask,
    private readonly learner: Learner,
    private readonly state: TrainingState,
    private readonly call: FitCall,
  ) {
    const { settings } = task;
    this.#pace = new Pace('fit', call.signal);
    this.#log = new TrainingLog(task.log);
    this.#decays = learner.model.decays().map((decays) => (decays ? settings.weightDecay : 0));
    this.#stepsPerEpoch = Math.ceil(learner.items / settings.batch);
  }

  async run(): Promise<FitOutcome> {
    const { task, state, call } = this;
    if (task.resume && task.checkpoint && (await exists(task.checkpoint))) await state.resume(task.checkpoint, task.fingerprint);
    await this.#log.begin(state.position.step);
    this.#draws = state.position.draws;
    try {
      while (!state.position.finished) {
        await this.#epoch();
        await this.#endEpoch();
      }
    } catch (error) {
      if (error instanceof UamError && error.code === 'UAM_ABORTED') await this.#keepForLater();
      throw error;
    }
    refuseAborted('fit', call.signal);
    const { history, bestEpoch, step } = state.position;
    const last = await state.withWeights(state.best, () => this.#validate());
    const best = await state.best.onHost();
    const weights = new Map(best.map(({ name, shape, data }) => [name, { shape, data: data.slice() }]));
    return { weights, history, bestEpoch, steps: step, temperature: last?.temperature ?? 1 };
  }

  /** An ended run loses nothing: its checkpoint is the last whole step. A step changes weights and moments at its very end only. */
  async #keepForLater(): Promise<void> {
    const { task, state } = this;
    if (!task.checkpoint || state.position.step === 0) return;
    state.position.draws = this.#draws;
    await this.#log.flush();
    await state.save(task.checkpoint, task.fingerprint);
  }

  /** The steps of one epoch that were not taken yet. */
  async #epoch(): Promise<void> {
    const { task, state, call } = this;
    const { settings } = task;
    const { position } = state;
    const order = this.learner.order(position.epoch);
    const total = this.#stepsPerEpoch * settings.epochs;
    while (position.stepInEpoch < this.#stepsPerEpoch) {
      const first = position.stepInEpoch * settings.batch;
      const loss = await this.#step(order.slice(first, first + settings.batch), total);
      call.onProgress?.({ phase: 'train', done: position.step, total, epoch: position.epoch, epochs: settings.epochs, loss });
      const { checkpointEvery, checkpoint, fingerprint } = task;
      if (checkpoint && checkpointEvery && position.step % checkpointEvery === 0 && position.stepInEpoch < this.#stepsPerEpoch) {
        await this.#log.flush();
        await state.save(checkpoint, fingerprint);
      }
    }
  }

  /** One step of the optimiser; returns its loss. */
  async #step(items: readonly Item[], total: number): Promise<number> {
    const { learner, state, task } = this;
    const { model } = learner;
    const { settings } = task;
    const { position } = state;
    model.train();
    let loss = 0;
    const coming: { part: Part; loss: Tensor }[] = [];
    for (const part of await learner.parts(items, position.step)) {
      const known = this.#differentiate(part);
      if (typeof known === 'number') loss += known;
      else coming.push({ part, loss: known });
      position.draws++;
      await this.#pace.rest();
    }
    loss += await this.#sumOf(coming);
    const learningRate = learningRateAt(position.step, total, settings);
    const gradientNorm = this.#update(learningRate);
    model.zeroGrad();
    position.step++;
    position.stepInEpoch++;
    position.lossSum += loss;
    state.average(settings.ema);
    this.#draws = position.draws;
    this.#log.add({ event: 'step', step: position.step, epoch: position.epoch, loss, learningRate, gradientNorm });
    await this.#pace.rest();
    return loss;
  }

  /**
   * Adds the gradients of one part to those of the step.
   *
   * @returns its part of the loss; on a card, a tensor with it: to look at it would wait for all that was asked of the card before
   */
  #differentiate(part: Part): number | Tensor {
    const { draws } = this.state.position;
    return scope(() => {
      const loss = part.loss(draws);
      if (!loss) return 0;
      const value = loss.device === 'cpu' ? this.#finite(loss.item(), part) : loss.detach();
      backward(loss);
      return value;
    });
  }

  /** The losses that were left on the card, summed: the one long wait of a step, which leaves the event loop free. */
  async #sumOf(coming: readonly { part: Part; loss: Tensor }[]): Promise<number> {
    if (coming.length === 0) return 0;
    const losses = scope(() => noGrad(() => concat(coming.map(({ loss }) => reshape(loss, [1])))));
    for (const { loss } of coming) loss.dispose();
    const { data } = await losses.toAsync('cpu');
    losses.dispose();
    return coming.reduce((sum, { part }, i) => sum + this.#finite(data[i] as number, part), 0);
  }

  #finite(loss: number, part: Part): number {
    if (Number.isFinite(loss)) return loss;
    throw new UamError(
      'UAM_NONFINITE',
      `fit: the loss of step ${this.state.position.step} is ${loss}; the first numbers that are not finite are in ${part.firstNonFinite()}; a lower learningRate may help`,
    );
  }

  #update(learningRate: number): number {
    const { state, task } = this;
    const { betas, clipNorm } = task.settings;
    try {
      return adamwStep(
        state.parameters,
        state.parameters.map(({ grad }) => grad),
        state.moments,
        { learningRate, betas, clipNorm, weightDecay: this.#decays, names: state.names },
      );
    } catch (error) {
      if (!(error instanceof UamError && error.code === 'UAM_NONFINITE')) throw error;
      throw new UamError('UAM_NONFINITE', `fit: step ${state.position.step}: ${error.message}`, { cause: error });
    }
  }

  #validate(): Promise<Validation | undefined> {
    this.learner.model.eval();
    return this.learner.validate();
  }

  async #endEpoch(): Promise<void> {
    const { task, state, call } = this;
    const { position } = state;
    const { epochs, patience } = task.settings;
    const found = await state.withWeights(state.mean, () => this.#validate());
    const record: EpochRecord = {
      ...{ epoch: position.epoch, step: position.step, loss: position.lossSum / this.#stepsPerEpoch },
      ...{ macroF1: found?.macroF1, ...(found?.dice !== undefined && { dice: found.dice }), validationLoss: found?.loss },
    };
    const best = position.history[position.bestEpoch];
    if (!found || !best || better(record, best)) state.keepBest();
    position.history.push(record);
    this.#log.add({ event: 'epoch', ...record });
    call.onProgress?.({ phase: 'validate', done: position.step, total: this.#stepsPerEpoch * epochs, epochs, ...record });
    position.epoch++;
    position.stepInEpoch = 0;
    position.lossSum = 0;
    const tired = found !== undefined && position.epoch - 1 - position.bestEpoch >= patience;
    position.finished = tired || position.epoch >= epochs;
    await this.#log.flush();
    if (task.checkpoint) await state.save(task.checkpoint, task.fingerprint);
  }
}

/** The macro-F1 of cells, the Dice of regions, or the mean of both. */
function scoreOf({ macroF1, dice }: EpochRecord): number {
  const known = [macroF1, dice].filter((score) => score !== undefined);
  return known.reduce((sum, score) => sum + score, 0) / Math.max(1, known.length);
}

/** A higher score, or the same at a lower loss. */
function better(a: EpochRecord, b: EpochRecord): boolean {
  const [high, low] = [scoreOf(a), scoreOf(b)];
  return high > low || (high === low && (a.validationLoss ?? 0) < (b.validationLoss ?? 0));
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
