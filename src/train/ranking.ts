// How well scores put the members of a class before the rest: ROC and precision-recall, exact also where scores are equal.
import { UamError } from '../errors.js';

/** Indices of scores, the greatest first; where equal scores follow each other is told by `groupEnds`. */
export interface Ranking {
  order: Uint32Array;
  /** One past the last place of each group of equal scores. */
  groupEnds: Uint32Array;
}

/** Sorts scores once, for every resample that follows. NaN counts as 0: a point without an answer is called nothing. */
export function rank(scores: ArrayLike<number>): Ranking {
  const values = Float64Array.from(scores, (score) => (Number.isNaN(score) ? 0 : score));
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const ends: number[] = [];
  for (let at = 1; at <= order.length; at++) {
    if (at === order.length || values[order[at] as number] !== values[order[at - 1] as number]) ends.push(at);
  }
  return { order, groupEnds: Uint32Array.from(ends) };
}

/** Both areas of a class; see `auroc` and `auprc`. */
export interface Areas {
  auroc: number;
  auprc: number;
}

/**
 * Areas of a ranking, in one pass over it.
 *
 * @param member 1 where a point belongs to the class
 * @param weights how often each point counts; default 1
 * @param step is told the weight of members and others after each group of equal scores
 */
export function rankedAreas(
  { order, groupEnds }: Ranking,
  member: ArrayLike<number | boolean>,
  weights?: ArrayLike<number>,
  step?: (truePositives: number, falsePositives: number) => void,
): Areas {
  let truePositives = 0;
  let falsePositives = 0;
  let area = 0;
  let precisions = 0;
  let at = 0;
  for (let group = 0; group < groupEnds.length; group++) {
    const end = groupEnds[group] as number;
    let ownTrue = 0;
    let ownFalse = 0;
    for (; at < end; at++) {
      const i = order[at] as number;
      const weight = weights ? (weights[i] as number) : 1;
      if (member[i]) ownTrue += weight;
      else ownFalse += weight;
    }
    truePositives += ownTrue;
    falsePositives += ownFalse;
    area += ownFalse * (truePositives - ownTrue / 2); // members ranked before these others, equals counted half
    if (ownTrue > 0) precisions += ownTrue * (truePositives / (truePositives + falsePositives));
    step?.(truePositives, falsePositives);
  }
  const both = truePositives > 0 && falsePositives > 0;
  return {
    auroc: both ? area / (truePositives * falsePositives) : Number.NaN,
    auprc: both ? precisions / truePositives : Number.NaN,
  };
}

function checkLengths(where: string, scores: ArrayLike<number>, positive: ArrayLike<number | boolean>, weights?: ArrayLike<number>): void {
  for (const [name, list] of Object.entries({ positive, weights })) {
    if (list && list.length !== scores.length) {
      throw new UamError('UAM_SHAPE', `${where}: ${name} must have one entry per score, ${scores.length}, received ${list.length}`);
    }
  }
}

/**
 * Area under the ROC curve: the chance that a member of the class scores higher than another point, equal scores counted half (Mann and
 * Whitney). A score of NaN (no answer) ranks as 0.
 *
 * @param scores `[n]` any finite numbers
 * @param positive `[n]` true or 1 where the point belongs to the class
 * @param weights `[n]` how often each point counts; default 1
 * @returns 0 to 1; NaN where one side is empty
 * @throws UamError `UAM_SHAPE` for lengths that differ
 * @example
 * console.log(auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])); // 0.75
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>, weights?: ArrayLike<number>): number {
  checkLengths('auroc', scores, positive, weights);
  return rankedAreas(rank(scores), positive, weights).auroc;
}

/**
 * Area under the precision-recall curve as average precision: the sum over thresholds of precision times the gain in recall, without
 * interpolation. A score of NaN (no answer) ranks as 0.
 *
 * @param scores `[n]` any finite numbers
 * @param positive `[n]` true or 1 where the point belongs to the class
 * @param weights `[n]` how often each point counts; default 1
 * @returns 0 to 1; NaN where one side is empty
 * @throws UamError `UAM_SHAPE` for lengths that differ
 * @example
 * console.log(auprc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])); // 0.8333...
 */
export function auprc(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>, weights?: ArrayLike<number>): number {
  checkLengths('auprc', scores, positive, weights);
  return rankedAreas(rank(scores), positive, weights).auprc;
}

/**
 * The ROC curve of one class against the rest, a point per distinct score.
 *
 * @param most keep at most about this many points; the area is not computed from them. Default: all
 * @returns rates from (0, 0) to (1, 1)
 * @throws UamError `UAM_SHAPE` for lengths that differ
 * @example
 * const { falsePositiveRate, truePositiveRate } = rocCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]);
 * console.log(falsePositiveRate, truePositiveRate); // [0, 0, 0.5, 0.5, 1] [0, 0.5, 0.5, 1, 1]
 */
export function rocCurve(
  scores: ArrayLike<number>,
  positive: ArrayLike<number | boolean>,
  most = Number.POSITIVE_INFINITY,
): { falsePositiveRate: number[]; truePositiveRate: number[] } {
  checkLengths('rocCurve', scores, positive);
  const counts: [tp: number, fp: number][] = [[0, 0]];
  rankedAreas(rank(scores), positive, undefined, (tp, fp) => counts.push([tp, fp]));
  const [positives, negatives] = counts.at(-1) as [number, number];
  const last = counts.length - 1;
  const every = Math.max(1, Math.ceil(last / most));
  const kept = counts.filter((_, i) => i % every === 0 || i === last);
  return {
    falsePositiveRate: kept.map(([, fp]) => (negatives > 0 ? fp / negatives : Number.NaN)),
    truePositiveRate: kept.map(([tp]) => (positives > 0 ? tp / positives : Number.NaN)),
  };
}
