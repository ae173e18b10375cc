// Tiles with images, cells and regions as what a training run teaches.
import { jointLoss } from '../heads/joint_loss.js';
import type { JointModel } from '../heads/joint_model.js';
import { gather } from '../ops/gather_rows.js';
import { bring } from '../tensor/bring.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';
import { classWeights, countLabels, epochOrder, type Item } from './epoch_plan.js';
import { batchFrom, type Disturbance, type JointPiece, mapsOf, pieceOf, tells } from './joint_batch.js';
import type { JointSettings } from './joint_settings.js';
import type { JointTile, JointTiles } from './joint_tiles.js';
import { validateJoint } from './joint_validate.js';
import type { Learner, Part, Validation } from './learner.js';
import type { Pace } from './pace.js';

export interface TilesToLearn {
  settings: JointSettings;
  training: JointTiles;
  validation: JointTiles | undefined;
  /** Side of the windows that large validation tiles are answered in, in pixels. */
  side: number;
}

/** Labels of the cells of a tile. */
function labelsIn({ cells }: JointTiles, tile: number): Int32Array {
  if (!cells) return new Int32Array(0);
  const { tiles, labelStarts, labels } = cells;
  return labels.subarray(labelStarts[tiles[tile] as number], labelStarts[tiles[tile + 1] as number]);
}

/** Share of the known pixels of each kind that lie inside, 0 to 1. */
function sharesInside(region: Uint8Array | undefined, kinds: number): number[] {
  const [inside, known] = [new Float64Array(kinds), new Float64Array(kinds)];
  region?.forEach((value, i) => {
    if (value > 1) return;
    known[i % kinds]! += 1;
    inside[i % kinds]! += value;
  });
  return Array.from(inside, (count, k) => ((known[k] as number) > 0 ? count / (known[k] as number) : 0));
}

/** How often tiles are drawn, so that classes of cells, and regions with what lies around them, count alike. */
function balanced(training: JointTiles, items: readonly Item[], counts: readonly number[]): number[] {
  const inside = items.map(({ from }) => sharesInside((training.tiles[from] as JointTile).region, training.kinds));
  const total = Array.from({ length: training.kinds }, (_, k) => inside.reduce((sum, shares) => sum + (shares[k] as number), 0));
  return items.map(({ from }, i) => {
    const labels = labelsIn(training, from);
    const ofCells = labels.reduce((sum, label) => sum + labels.length / (counts[label] as number), 0) / Math.max(1, labels.length ** 2);
    const shares = inside[i] as number[];
    const ofRegions = shares.map((share, k) => {
      const all = total[k] as number;
      const outside = items.length - all;
      return (all > 0 ? share / all : 0) + (outside > 0 ? (1 - share) / outside : 0);
    });
    const known = tells((training.tiles[from] as JointTile).region) ? ofRegions : [];
    const parts = [...(labels.length > 0 ? [ofCells] : []), ...known];
    return parts.reduce((sum, part) => sum + part, 0) / parts.length;
  });
}

export class JointLearner implements Learner {
  readonly #items: Item[];
  readonly #weights: number[];
  readonly #drawWeights: number[] | undefined;

  constructor(
    readonly model: JointModel,
    private readonly task: TilesToLearn,
    private readonly pace: Pace,
  ) {
    const { training, settings } = task;
    const some = training.tiles.flatMap(({ region }, tile) => (labelsIn(training, tile).length > 0 || tells(region) ? [tile] : []));
    this.#items = some.map((tile, index) => ({ from: tile, to: tile + 1, index }));
    const counts = countLabels(training.cells?.labels ?? new Int32Array(0), model.classifier?.config.classes ?? 0);
    this.#weights = settings.balance === 'weights' && counts.some((count) => count > 0) ? classWeights(counts) : counts.map(() => 1);
    this.#drawWeights = settings.balance === 'sampler' ? balanced(training, this.#items, counts) : undefined;
  }

  get items(): number {
    return this.#items.length;
  }

  order(epoch: number): Item[] {
    return epochOrder(this.#items, { seed: this.task.settings.seed, epoch, weights: this.#drawWeights });
  }

  async parts(items: readonly Item[], step: number): Promise<Part[]> {
    const { model, task } = this;
    const { training, settings } = task;
    const pieces: JointPiece[] = [];
    for (const { from: tile, index } of items) {
      const disturbance: Disturbance = { settings, at: { seed: settings.seed, step }, index };
      const maps = await mapsOf(training.tiles[tile] as JointTile, model);
      pieces.push(pieceOf(training, { tile, maps }, disturbance));
      await this.pace.rest();
    }
    const ofLabels = pieces.map(({ labels }) => labels.reduce((sum, label) => sum + (this.#weights[label] as number), 0));
    const ofRegions = pieces.map(({ region }) => Number(tells(region)));
    const share = (values: readonly number[], i: number) =>
      (values[i] as number) /
      Math.max(
        values.reduce((a, b) => a + b, 0),
        1e-6,
      );
    return pieces.map((piece, i) => ({
      loss: (draw) => this.#loss(piece, draw, { cells: share(ofLabels, i), regions: share(ofRegions, i) }),
      firstNonFinite: () => firstInPiece(model, piece, training.mpp),
    }));
  }

  #loss(piece: JointPiece, draw: number, shares: { cells: number; regions: number }): Tensor | undefined {
    const { model, task } = this;
    const { seed, labelSmoothing, recompute } = task.settings;
    const { labelled, labels, region } = piece;
    const output = model.forward(batchFrom(model, piece, task.training.mpp), { at: { seed, step: draw }, recompute });
    const { cells, regions } = output;
    const answered =
      cells && labels.length > 0
        ? { ...cells, logits: gather(cells.logits, Tensor.from(labelled, undefined, cells.logits.device)) }
        : undefined;
    const { total } = jointLoss(
      { regions, cells: answered },
      {
        ...(answered && { cells: Tensor.from(labels) }),
        ...(region && regions && { regions: Tensor.from(region, regions.shape) }),
      },
      {
        classWeight: answered && Tensor.from(this.#weights, undefined, answered.logits.device),
        labelSmoothing,
        taskScales: model.taskScales,
        shares,
      },
    );
    return total;
  }

  async validate(): Promise<Validation | undefined> {
    const { validation, side } = this.task;
    return validation && validateJoint(this.model, validation, { side, pace: this.pace });
  }
}

const sound = (data: ArrayLike<number>): boolean => Array.prototype.every.call(data, Number.isFinite);
const soundTensor = (tensor: Tensor): boolean => sound(bring(tensor, 'cpu').data);

/** Where numbers stop being finite in a model that works on a piece, in words; dropout and its like are left out. */
function firstInPiece(model: JointModel, piece: JointPiece, mpp: number): string {
  const parameter = model.namedParameters().find(([, tensor]) => !soundTensor(tensor));
  if (parameter) return `the parameter ${parameter[0]}`;
  if (!sound(piece.features)) return 'the features';
  const training = model.training;
  model.eval();
  try {
    return scope(() =>
      noGrad(() => {
        const batch = batchFrom(model, piece, mpp);
        const image = batch.image && 'pixels' in batch.image ? model.encoder?.forward(batch.image) : undefined;
        const level = image?.levels.find(({ tensor }) => !soundTensor(tensor));
        if (level) return `the output of encoder, level ${level.name}`;
        const { cells, regions } = model.forward(batch);
        if (cells && !soundTensor(cells.logits)) return 'the logits of the cells';
        return regions && !soundTensor(regions) ? 'the logits of the regions' : 'the loss of a step with dropout';
      }),
    );
  } finally {
    model.train(training);
  }
}
