import { UamError } from '../errors.js';
import type { Interval } from '../report/evaluation_report.js';
import { namedScores, Scorer } from './metrics.js';
import { type BootstrapOptions, clusters, complete, interval, resampled } from './resampled.js';
import type { TestedPoints } from './tested_points.js';

/**
 * Percentile intervals of every score from resamples of the patients (of the points where `patients` is absent).
 *
 * The calibration error of a resample is greater on average than that of the sample (repeated points look like miscalibration), so its
 * interval lies on the high side, and may lie above the value.
 *
 * @returns by name: `accuracy`, `balancedAccuracy`, `macroF1`, `macroAuroc`, `macroAuprc`, `brier`, `logLoss`, `ece`, and per class
 *   `precision:`, `recall:`, `f1:`, `auroc:`, `auprc:` before its name. Resamples without a value (a class is absent) are left out
 * @throws UamError `UAM_ARGUMENT`, `UAM_ABORTED`, and as `scorePredictions`
 * @example
 * const { accuracy } = await bootstrapIntervals({
 *   classes: ['tumour', 'other'],
 *   truth: [0, 1, 1, 0],
 *   probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.6, 0.4),
 *   patients: ['a', 'a', 'b', 'c'],
 * }, { resamples: 200 });
 * console.log(accuracy.value, accuracy.low, accuracy.high); // 0.75 ...
 */
export async function bootstrapIntervals(predictions: TestedPoints, options: BootstrapOptions = {}): Promise<Record<string, Interval>> {
  const settings = complete('bootstrapIntervals', options);
  const scorer = new Scorer(predictions);
  const groups = clusters(scorer.data.patients, scorer.data.count);
  const drawn = await resampled('bootstrapIntervals', settings, groups, (weights) => namedScores(scorer.scores(weights)));
  const whole = Object.entries(namedScores(scorer.scores()));
  return Object.fromEntries(
    whole.map(([name, value]) => [
      name,
      interval(
        value,
        drawn.map((scores) => scores[name] as number),
        settings.level,
      ),
    ]),
  );
}

/**
 * The difference in one score between two models on the same points, with a percentile interval: each resample of the patients scores
 * both, so what they share falls out. Several runs of a model (seeds) are given as a list; their scores are averaged.
 *
 * @param score a name of `bootstrapIntervals`, such as `'macroF1'` or `'auroc:tumour'`
 * @returns `value` is the score of `a` minus that of `b`; an interval above 0 says that `a` is better (for `brier`, `logLoss` and `ece`, worse)
 * @throws UamError `UAM_ARGUMENT` for a score that there is not, `UAM_SHAPE` where the two do not speak of the same points,
 *   `UAM_ABORTED`, and as `scorePredictions`
 * @example
 * const points = { classes: ['tumour', 'other'], truth: [0, 1, 1, 0], patients: ['a', 'a', 'b', 'c'] };
 * const a = { ...points, probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 0.6, 0.4) };
 * const b = { ...points, probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.6, 0.4) };
 * const { value } = await pairedDifference(a, b, 'accuracy', { resamples: 200 });
 * console.log(value); // 0.25
 */
export async function pairedDifference(
  a: TestedPoints | readonly TestedPoints[],
  b: TestedPoints | readonly TestedPoints[],
  score: string,
  options: BootstrapOptions = {},
): Promise<Interval> {
  const settings = complete('pairedDifference', options);
  const [first, second] = [a, b].map((runs) => [runs].flat().map((run) => new Scorer(run as TestedPoints))) as [Scorer[], Scorer[]];
  const shared = first[0]?.data;
  if (!shared || second.length === 0) throw new UamError('UAM_ARGUMENT', 'pairedDifference: each side needs at least one run');
  for (const { data } of [...first, ...second]) {
    const same = (x: ArrayLike<unknown> | undefined, y: ArrayLike<unknown> | undefined) =>
      x?.length === y?.length && Array.prototype.every.call(x ?? [], (value, i) => value === y?.[i]);
    if (!same(data.truth, shared.truth) || !same(data.classes, shared.classes) || !same(data.patients, shared.patients)) {
      throw new UamError(
        'UAM_SHAPE',
        'pairedDifference: all runs must speak of the same points in the same order (truth, classes, patients)',
      );
    }
  }
  const difference = (weights?: Float64Array): number => {
    const average = (scorers: readonly Scorer[]) =>
      scorers.reduce((sum, scorer) => sum + (namedScores(scorer.scores(weights))[score] as number), 0) / scorers.length;
    return average(first) - average(second);
  };
  const names = Object.keys(namedScores((first[0] as Scorer).scores()));
  if (!names.includes(score)) {
    throw new UamError('UAM_ARGUMENT', `pairedDifference: there is no score '${score}'; the scores are ${names.join(', ')}`);
  }
  const groups = clusters(shared.patients, shared.count);
  return interval(difference(), await resampled('pairedDifference', settings, groups, difference), settings.level);
}
