// The training run itself: section 6 of the specification.
import { stat } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { CellClassifier, type ClassifierConfig } from '../heads/cell_classifier.js';
import { adamwStep } from '../ops/adamw.js';
import { add, mul } from '../ops/binary.js';
import { crossEntropy } from '../ops/cross_entropy.js';
import { gather } from '../ops/gather_rows.js';
import { backward } from '../tensor/autograd.js';
import { scope } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';
import { EXPERT_LOSSES } from '../uam/backbone.js';
import { batchOf, tokensPerCell } from './batch_of.js';
import { classWeights, countLabels, epochOrder, groupsOf, type Item, labelledItems } from './epoch_plan.js';
import { type FitProgress, type FitSettings, learningRateAt } from './fit_options.js';
import { firstNonFinite } from './nonfinite.js';
import { Pace, refuseAborted } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { TrainingLog } from './training_log.js';
import { type EpochRecord, TrainingState } from './training_state.js';
import { type Validation, validate } from './validate.js';

/** A training run: plain data, which may go to another thread. */
export interface FitTask {
  config: ClassifierConfig;
  settings: FitSettings;
  training: PackedCells;
  validation: PackedCells | undefined;
  /** Names data and settings, so that a checkpoint is not taken for another run's. */
  fingerprint: string;
  checkpoint: string | undefined;
  checkpointEvery: number | undefined;
  resume: boolean;
  log: string | undefined;
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

/** Trains a classifier from its seed, or from a checkpoint. */
export async function runFit(task: FitTask, call: FitCall = {}): Promise<FitOutcome> {
  const model = new CellClassifier(task.config, task.settings.seed);
  const state = new TrainingState(model);
  try {
    return await new FitRun(task, model, state, call).run();
  } finally {
    state.dispose();
    model.dispose();
  }
}

class FitRun {
  readonly #pace: Pace;
  readonly #log: TrainingLog;
  readonly #items: Item[];
  readonly #counts: number[];
  readonly #weights: number[];
  readonly #decays: number[];
  readonly #stepsPerEpoch: number;
  /** The generator's counter at the end of the last whole step. */
  #draws = 0;

  constructor(
    private readonly task: FitTask,
    private readonly model: CellClassifier,
    private readonly state: TrainingState,
    private readonly call: FitCall,
  ) {
    const { training, settings, config } = task;
    this.#pace = new Pace('fit', call.signal);
    this.#log = new TrainingLog(task.log);
    this.#items = labelledItems(training);
    this.#counts = countLabels(training.labels, config.classes);
    this.#weights = settings.balance === 'weights' ? classWeights(this.#counts) : this.#counts.map(() => 1);
    this.#decays = model.decays().map((decays) => (decays ? settings.weightDecay : 0));
    this.#stepsPerEpoch = Math.ceil(this.#items.length / settings.batch);
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
    const weights = new Map(
      state.names.map((name, p) => [name, { shape: (state.parameters[p] as Tensor).shape, data: state.best[p] as Float32Array }]),
    );
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
    const { settings, training } = task;
    const { position } = state;
    const counts = settings.balance === 'sampler' ? this.#counts : undefined;
    const order = epochOrder(this.#items, training, { seed: settings.seed, epoch: position.epoch, counts });
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
    const { model, state, task } = this;
    const { settings, training } = task;
    const { position } = state;
    model.train();
    const groups = groupsOf(items, Math.max(1, Math.floor(settings.tokenBudget / tokensPerCell(model))));
    const divisor = this.#weightOf(items);
    const cells = items.reduce((sum, { from, to }) => sum + to - from, 0);
    let loss = 0;
    for (const group of groups) {
      const share = group.reduce((sum, { from, to }) => sum + to - from, 0) / cells;
      loss += this.#differentiate(group, training, divisor, share);
      position.draws++;
      await this.#pace.rest();
    }
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

  /** Sum of the weights of the labels of these items; at least a little, so that it can divide. */
  #weightOf(items: readonly Item[]): number {
    const { labels, labelStarts } = this.task.training;
    const sums = items.map(({ from, to }) =>
      labels.subarray(labelStarts[from], labelStarts[to]).reduce((sum, label) => sum + (this.#weights[label] as number), 0),
    );
    return Math.max(
      sums.reduce((a, b) => a + b, 0),
      1e-6,
    );
  }

  /** Adds the gradients of one group of items to those of the step; returns its part of the loss. */
  #differentiate(group: readonly Item[], training: PackedCells, divisor: number, share: number): number {
    const { model, state } = this;
    const { augment, seed, labelSmoothing } = this.task.settings;
    const { step, draws } = state.position;
    return scope(() => {
      const { batch, labelled, labels } = batchOf(model, training, group, { augment, at: { seed, step } });
      const { logits, loadBalance, zLoss } = model.forward(batch, { at: { seed, step: draws } });
      const sum = crossEntropy(gather(logits, Tensor.from(labelled)), Tensor.from(labels), {
        classWeight: Tensor.from(this.#weights),
        labelSmoothing,
        reduction: 'sum',
      });
      let loss = mul(sum, 1 / divisor);
      if (loadBalance) loss = add(loss, mul(loadBalance, EXPERT_LOSSES.loadBalance * share));
      if (zLoss) loss = add(loss, mul(zLoss, EXPERT_LOSSES.zLoss * share));
      const value = loss.item();
      if (!Number.isFinite(value)) {
        throw new UamError(
          'UAM_NONFINITE',
          `fit: the loss of step ${step} is ${value}; the first numbers that are not finite are in ${firstNonFinite(model, batch)}; a lower learningRate may help`,
        );
      }
      backward(loss);
      return value;
    });
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
    const { model, task } = this;
    model.eval();
    return validate(model, task.validation, task.settings.tokenBudget, this.#pace);
  }

  async #endEpoch(): Promise<void> {
    const { task, state, call } = this;
    const { position } = state;
    const { epochs, patience } = task.settings;
    const found = await state.withWeights(state.mean, () => this.#validate());
    const record: EpochRecord = {
      ...{ epoch: position.epoch, step: position.step, loss: position.lossSum / this.#stepsPerEpoch },
      ...{ macroF1: found?.macroF1, validationLoss: found?.loss },
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

/** A higher macro-F1, or the same at a lower loss. */
function better(a: EpochRecord, b: EpochRecord): boolean {
  const [high, low] = [a.macroF1 ?? 0, b.macroF1 ?? 0];
  return high > low || (high === low && (a.validationLoss ?? 0) < (b.validationLoss ?? 0));
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
