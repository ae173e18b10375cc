import type { ClassScores, Scores } from '../report/evaluation_report.js';
import { calibrationError, rankConfidence, reliability } from './calibration.js';
import { rank, rankedAreas } from './ranking.js';
import { type Scored, scored, type TestedPoints } from './tested_points.js';

const mean = (values: readonly number[]): number => {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : Number.NaN;
};

/** Sorts once; then gives the scores for any weights of the points. A resample of patients is such a set of weights. */
export class Scorer {
  readonly data: Scored;
  readonly #rankings;
  readonly #members;
  readonly #confidence;

  constructor(predictions: TestedPoints) {
    this.data = scored(predictions);
    const { classes, probabilities, count } = this.data;
    const width = classes.length;
    this.#rankings = classes.map((_, c) => rank(Float64Array.from({ length: count }, (_, i) => probabilities[i * width + c] as number)));
    this.#members = classes.map((_, c) => Uint8Array.from(this.data.truth, (own) => (own === c ? 1 : 0)));
    this.#confidence = rankConfidence(this.data);
  }

  /** The bins behind the calibration error. */
  reliability(weights?: ArrayLike<number>) {
    return reliability(this.data, this.#confidence, weights);
  }

  scores(weights?: ArrayLike<number>): Scores {
    const { classes, count, truth, predicted, probabilities } = this.data;
    const width = classes.length;
    const confusion = classes.map(() => new Array<number>(width + 1).fill(0));
    let [total, missed, brier, logLoss] = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const weight = weights ? (weights[i] as number) : 1;
      if (weight === 0) continue;
      const y = truth[i] as number;
      const answer = predicted[i] as number;
      const row = confusion[y] as number[];
      row[answer < 0 ? width : answer] = (row[answer < 0 ? width : answer] as number) + weight;
      total += weight;
      if (answer < 0) {
        missed += weight;
        brier += weight; // nothing is called: all probabilities 0
        continue;
      }
      for (let c = 0; c < width; c++) brier += weight * ((probabilities[i * width + c] as number) - (c === y ? 1 : 0)) ** 2;
      logLoss -= weight * Math.log(probabilities[i * width + y] as number);
    }
    const perClass = classes.map((name, c) => this.#classScores(name, c, confusion, weights));
    const right = classes.reduce((sum, _, c) => sum + (confusion[c]?.[c] as number), 0);
    const macro = (key: Exclude<keyof ClassScores, 'name'>) => mean(perClass.map((scores) => scores[key]));
    return {
      count: total,
      missed,
      accuracy: right / total,
      balancedAccuracy: macro('recall'),
      macroF1: macro('f1'),
      macroAuroc: macro('auroc'),
      macroAuprc: macro('auprc'),
      brier: brier / total,
      logLoss: logLoss / (total - missed),
      ece: calibrationError(this.reliability(weights)),
      perClass,
      confusion,
    };
  }

  #classScores(name: string, c: number, confusion: readonly number[][], weights?: ArrayLike<number>): ClassScores {
    const hits = confusion[c]?.[c] as number;
    const support = (confusion[c] as number[]).reduce((sum, n) => sum + n, 0);
    const predicted = confusion.reduce((sum, row) => sum + (row[c] as number), 0);
    const ranking = this.#rankings[c] as ReturnType<typeof rank>;
    return {
      name,
      support,
      predicted,
      precision: hits / predicted,
      recall: hits / support,
      f1: (2 * hits) / (support + predicted),
      ...rankedAreas(ranking, this.#members[c] as Uint8Array, weights),
    };
  }
}

/**
 * Scores predictions. A point without an answer (a row of NaN) is an error: it is in no class's true positives and in its own class's
 * false negatives; for AUROC, AUPRC and the Brier score its probabilities are 0 for every class; the log loss and the calibration error
 * speak of the answers alone, and `missed` counts the others.
 *
 * | score | definition |
 * |---|---|
 * | accuracy | part of all labelled points called right; the call is the class of the greatest probability, the first of equals |
 * | balanced accuracy | mean recall over the classes that have points |
 * | F1 | 2 TP / (2 TP + FP + FN); macro over the classes that have points or calls |
 * | AUROC | one against the rest, exact, equal scores counted half; macro is the unweighted mean |
 * | AUPRC | average precision, one against the rest, without interpolation |
 * | Brier | mean of sum_c (p_c - y_c)^2, from 0 to 2 (twice the binary score for two classes) |
 * | ECE | sum_b n_b/n |accuracy_b - confidence_b| over 15 bins of equal mass of the confidence (the greatest probability); equal confidences share a bin |
 *
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`, `UAM_DATA` for predictions that are none (probabilities that do not add up, a truth
 *   that is no class, nothing labelled)
 * @example
 * const { accuracy, missed } = scorePredictions({
 *   classes: ['tumour', 'other'],
 *   truth: [0, 1, 1],
 *   probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8, NaN, NaN),
 * });
 * console.log(accuracy, missed); // 0.666..., 1
 */
export function scorePredictions(predictions: TestedPoints): Scores {
  return new Scorer(predictions).scores();
}

/** Scores that are one number, by the name that intervals and differences use: `accuracy`, `auroc:tumour`, ... */
export function namedScores(scores: Scores): Record<string, number> {
  const { accuracy, balancedAccuracy, macroF1, macroAuroc, macroAuprc, brier, logLoss, ece } = scores;
  const named: Record<string, number> = {
    accuracy,
    balancedAccuracy,
    macroF1,
    macroAuroc,
    macroAuprc,
    brier,
    logLoss,
    ece,
  };
  for (const { name, precision, recall, f1, auroc, auprc } of scores.perClass) {
    Object.assign(named, {
      [`precision:${name}`]: precision,
      [`recall:${name}`]: recall,
      [`f1:${name}`]: f1,
      [`auroc:${name}`]: auroc,
      [`auprc:${name}`]: auprc,
    });
  }
  return named;
}
