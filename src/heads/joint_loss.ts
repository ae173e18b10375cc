import { mismatch, UamError } from '../errors.js';
import { bceWithLogits } from '../ops/bce_with_logits.js';
import { add, mul } from '../ops/binary.js';
import { reshape, slice } from '../ops/copy_strided.js';
import { crossEntropy } from '../ops/cross_entropy.js';
import { softDice } from '../ops/soft_dice.js';
import { exp, neg } from '../ops/unary.js';
import { where } from '../ops/where.js';
import { bring } from '../tensor/bring.js';
import { format, sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { EXPERT_LOSSES } from '../uam/backbone.js';
import type { JointOutput } from './joint_model.js';

/** Labels that count for nothing. */
export const NO_LABEL = Object.freeze({ cell: -1, region: 255 });

/** Tensors of the host, wherever the model lives. */
export interface JointTargets {
  /** int32 [cells]: the class of each, -1 where it is not known. */
  cells?: Tensor | undefined;
  /** uint8 [images, height, width] or [images, height, width, regions]: 1, 0, or 255 where it is not known. */
  regions?: Tensor | undefined;
}

export interface JointLossOptions {
  /** [classes], see `crossEntropy`. */
  classWeight?: Tensor | undefined;
  /** Default 0.05. */
  labelSmoothing?: number;
  /** [2], `JointModel.taskScales`: both tasks are weighed by e^-s, and s is added. */
  taskScales?: Tensor | undefined;
  /**
   * What this batch's loss of each task weighs, where the batch is a part of a step: its share of what the whole step has of that task.
   * Default 1 for both.
   */
  shares?: { cells: number; regions: number } | undefined;
}

export interface JointLoss {
  /** What is to be differentiated; undefined where nothing has a label. */
  total: Tensor | undefined;
  /** Cross entropy of the cells; undefined where none has a label. */
  cells: Tensor | undefined;
  /** Binary cross entropy and Dice of the regions; undefined where no pixel has a label. */
  regions: Tensor | undefined;
}

const sumOf = (terms: readonly (Tensor | undefined)[]): Tensor | undefined =>
  terms.reduce((total, term) => (total && term ? add(total, term) : (total ?? term)), undefined);

function cellLoss({ cells }: JointOutput, target: Tensor | undefined, options: JointLossOptions): Tensor | undefined {
  if (!cells || !target?.data.some((label) => label !== NO_LABEL.cell)) return undefined;
  const { classWeight, labelSmoothing = 0.05 } = options;
  return crossEntropy(cells.logits, bring(target, cells.logits.device), {
    ...(classWeight && { classWeight }),
    labelSmoothing,
    ignoreIndex: NO_LABEL.cell,
  });
}

/** Probability 0 in any float type. */
const CERTAINLY_NOT = -1e5;

/** Masks of what counts and what is there, where the answers are, and how many groups (a region of an image) have any label. */
function masksOf(target: Tensor, { shape, dtype, device }: Tensor): { keep: Tensor; truth: Tensor; groups: number } {
  const [images, height, width, regions] = shape as [number, number, number, number];
  const keep = Tensor.zeros(shape, 'uint8');
  const truth = Tensor.zeros(shape, dtype);
  const labelled = new Uint8Array(images * regions);
  const [labels, kept, truths] = [target.data, keep.data, truth.data]; // asked for once: there are as many labels as pixels
  for (let image = 0, i = 0; image < images; image++) {
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let region = 0; region < regions; region++, i++) {
        const label = labels[i] as number;
        if (label === NO_LABEL.region) continue;
        if (label > 1) throw mismatch('UAM_DATA', `jointLoss: regions[${i}]`, '0, 1, or 255 where it is not known', String(label));
        kept[i] = 1;
        truths[i] = label;
        labelled[image * regions + region] = 1;
      }
    }
  }
  return { keep: bring(keep, device), truth: bring(truth, device), groups: labelled.reduce((sum, any) => sum + any, 0) };
}

function regionLoss({ regions }: JointOutput, target: Tensor | undefined): Tensor | undefined {
  if (!regions || !target) return undefined;
  const { shape } = regions;
  const fits = sameShape(target.shape, shape) || (shape[3] === 1 && sameShape(target.shape, shape.slice(0, 3)));
  if (!fits) throw mismatch('UAM_SHAPE', 'jointLoss: regions', format(shape), format(target.shape));
  if (target.dtype !== 'uint8') throw mismatch('UAM_DTYPE', 'jointLoss: regions', 'uint8', target.dtype);
  const { keep, truth, groups } = masksOf(target, regions);
  if (groups === 0) return undefined;
  const entropy = bceWithLogits(regions, truth, { keep });
  // Where nothing is known, probability and truth are 0 and add nothing to either sum; a group without labels has the Dice loss 0.
  const known = where(keep, regions, Tensor.full([1], CERTAINLY_NOT, regions.dtype, regions.device));
  const dice = softDice(known, truth, { smooth: 1, eps: 0 });
  return add(entropy, mul(dice, ((shape[0] as number) * (shape[3] as number)) / groups));
}

/**
 * The loss of both tasks: cross entropy of the cells with label smoothing, plus binary cross entropy and 1 - (2 sum p t + 1) / (sum p +
 * sum t + 1) of the regions, whose Dice is taken per image (and region) and averaged over those that have labels, plus the losses of the
 * mixtures of experts. With `taskScales` s each task L becomes e^-s L + s (Kendall et al. 2018). What has no label counts for nothing,
 * and a task without labels adds 0.
 *
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`; `UAM_ARGUMENT`, `UAM_DATA` for labels that cannot be
 * @example
 * const regions = Tensor.zeros([1, 2, 2, 1]);
 * const { total, cells } = jointLoss({ regions }, { regions: Tensor.from(Uint8Array.of(1, 0, 255, 255), [1, 2, 2]) });
 * total?.item();   // 0.6931 + 1 - (1 + 1) / (1 + 1 + 1) = 1.0265
 * cells;           // undefined
 */
export function jointLoss(output: JointOutput, targets: JointTargets, options: JointLossOptions = {}): JointLoss {
  const cells = cellLoss(output, targets.cells, options);
  const regions = regionLoss(output, targets.regions);
  const { taskScales, shares = { cells: 1, regions: 1 } } = options;
  if (taskScales && taskScales.size !== 2)
    throw new UamError('UAM_SHAPE', `jointLoss: taskScales must be [2], received ${format(taskScales.shape)}`);
  const weighed = [cells, regions].map((loss, task) => {
    if (!loss) return undefined;
    const share = task === 0 ? shares.cells : shares.regions;
    if (!taskScales) return share === 1 ? loss : mul(loss, share);
    const s = reshape(slice(taskScales, [task], [task + 1]), []);
    return mul(add(mul(exp(neg(s)), loss), s), share);
  });
  const { loadBalance, zLoss } = output.cells ?? {};
  const experts = [loadBalance && mul(loadBalance, EXPERT_LOSSES.loadBalance), zLoss && mul(zLoss, EXPERT_LOSSES.zLoss)];
  const tasks = sumOf(weighed);
  return { total: tasks && sumOf([tasks, ...experts]), cells, regions };
}
