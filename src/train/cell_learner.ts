// Cells and their features as what a training run teaches.
import type { CellClassifier } from '../heads/cell_classifier.js';
import { add, mul } from '../ops/binary.js';
import { crossEntropy } from '../ops/cross_entropy.js';
import { gather } from '../ops/gather_rows.js';
import { Tensor } from '../tensor/tensor.js';
import { EXPERT_LOSSES } from '../uam/backbone.js';
import { batchOf, tokensPerCell } from './batch_of.js';
import { classWeights, countLabels, epochOrder, groupsOf, type Item, labelledItems, labelWeights } from './epoch_plan.js';
import type { FitSettings } from './fit_options.js';
import type { Learner, Part, Validation } from './learner.js';
import { firstNonFinite } from './nonfinite.js';
import type { Pace } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { validate } from './validate.js';

export interface CellsToLearn {
  settings: FitSettings;
  training: PackedCells;
  validation: PackedCells | undefined;
}

const cellsIn = (items: readonly Item[]): number => items.reduce((sum, { from, to }) => sum + to - from, 0);

export class CellLearner implements Learner {
  readonly #items: Item[];
  /** Of the classes in the loss. */
  readonly #weights: number[];
  /** How often items are drawn, where classes are to count alike by that. */
  readonly #drawWeights: number[] | undefined;

  constructor(
    readonly model: CellClassifier,
    private readonly task: CellsToLearn,
    private readonly pace: Pace,
  ) {
    const { training, settings } = task;
    this.#items = labelledItems(training);
    const counts = countLabels(training.labels, model.config.classes);
    this.#weights = settings.balance === 'weights' ? classWeights(counts) : counts.map(() => 1);
    this.#drawWeights = settings.balance === 'sampler' ? labelWeights(this.#items, training, counts) : undefined;
  }

  get items(): number {
    return this.#items.length;
  }

  order(epoch: number): Item[] {
    return epochOrder(this.#items, { seed: this.task.settings.seed, epoch, weights: this.#drawWeights });
  }

  async parts(items: readonly Item[], step: number): Promise<Part[]> {
    const { model } = this;
    const groups = groupsOf(items, Math.max(1, Math.floor(this.task.settings.tokenBudget / tokensPerCell(model))));
    const divisor = this.#weightOf(items);
    const cells = cellsIn(items);
    return groups.map((group) => ({
      loss: (draw) => this.#loss(group, { step, draw, divisor, share: cellsIn(group) / cells }),
      firstNonFinite: () => firstNonFinite(model, this.#batch(group, step).batch),
    }));
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

  #batch(group: readonly Item[], step: number) {
    const { training, settings } = this.task;
    return batchOf(this.model, training, group, { augment: settings.augment, at: { seed: settings.seed, step } });
  }

  #loss(group: readonly Item[], { step, draw, divisor, share }: { step: number; draw: number; divisor: number; share: number }): Tensor {
    const { seed, labelSmoothing } = this.task.settings;
    const { batch, labelled, labels } = this.#batch(group, step);
    const { logits, loadBalance, zLoss } = this.model.forward(batch, { at: { seed, step: draw } });
    const { device } = logits;
    const sum = crossEntropy(gather(logits, Tensor.from(labelled, undefined, device)), Tensor.from(labels, undefined, device), {
      classWeight: Tensor.from(this.#weights, undefined, device),
      labelSmoothing,
      reduction: 'sum',
    });
    let loss = mul(sum, 1 / divisor);
    if (loadBalance) loss = add(loss, mul(loadBalance, EXPERT_LOSSES.loadBalance * share));
    if (zLoss) loss = add(loss, mul(zLoss, EXPERT_LOSSES.zLoss * share));
    return loss;
  }

  async validate(): Promise<Validation | undefined> {
    const { validation, settings } = this.task;
    return validate(this.model, validation, settings.tokenBudget, this.pace);
  }
}
