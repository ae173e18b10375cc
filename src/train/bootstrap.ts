// Intervals by resampling patients: cells of one patient are alike, so cells drawn one by one would promise too much.
import { setImmediate } from 'node:timers/promises';
import { UamError } from '../errors.js';
import type { Interval } from '../report/evaluation_report.js';
import { namedScores, Scorer } from './metrics.js';
import { seeded } from './seeded.js';
import type { TestedPoints } from './tested_points.js';

export interface BootstrapOptions {
  /** How often the patients are drawn; default 1000. */
  resamples?: number | undefined;
  /** Part of the resamples inside the interval; default 0.95. */
  level?: number | undefined;
  /** The same seed gives the same intervals, 0 to 2^32 - 1; default 0. */
  seed?: number | undefined;
  /** Ends the work; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

type Complete = Required<Omit<BootstrapOptions, 'signal'>> & { signal: AbortSignal | undefined };

function complete(where: string, { resamples = 1000, level = 0.95, seed = 0, signal }: BootstrapOptions): Complete {
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new UamError('UAM_ARGUMENT', `${where}: resamples must be a whole number from 1 on, received ${resamples}`);
  }
  if (!(level > 0 && level < 1)) throw new UamError('UAM_ARGUMENT', `${where}: level must lie between 0 and 1, received ${level}`);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UamError('UAM_ARGUMENT', `${where}: seed must be an integer from 0 to 4294967295, received ${seed}`);
  }
  return { resamples, level, seed, signal };
}

/** The points of each patient, in the order in which the patients first come; each point is its own where none are given. */
function clusters(patients: readonly string[] | undefined, count: number): { of: Int32Array; size: number } {
  if (!patients) return { of: Int32Array.from({ length: count }, (_, i) => i), size: count };
  const index = new Map<string, number>();
  const of = Int32Array.from(patients, (name) => {
    const known = index.get(name) ?? index.size;
    index.set(name, known);
    return known;
  });
  return { of, size: index.size };
}

/** How often each patient is drawn in a resample: as many draws as patients, with repetition. */
function draws(size: number, seed: number, resample: number): Uint32Array {
  const random = seeded(seed, resample);
  const times = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    const at = Math.floor(random() * size);
    times[at] = (times[at] as number) + 1;
  }
  return times;
}

/** The value at a share of sorted values, between two where it falls there (Hyndman and Fan's type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const below = sorted[low] as number;
  const above = sorted[Math.min(low + 1, sorted.length - 1)] as number;
  return below === above ? below : below + (at - low) * (above - below);
}

function interval(value: number, values: readonly number[], level: number): Interval {
  const sorted = Float64Array.from(values.filter((one) => !Number.isNaN(one))).sort();
  const tail = (1 - level) / 2;
  return { value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), resamples: sorted.length };
}

/** Runs the resamples, leaving the event loop free between them. */
async function resampled<T>(
  where: string,
  { resamples, seed, signal }: Complete,
  { of, size }: ReturnType<typeof clusters>,
  score: (weights: Float64Array) => T,
): Promise<T[]> {
  const results: T[] = [];
  const weights = new Float64Array(of.length);
  for (let resample = 0; resample < resamples; resample++) {
    if (signal?.aborted) throw new UamError('UAM_ABORTED', `${where}: ended by its signal`, { cause: signal.reason });
    const times = draws(size, seed, resample);
    for (let i = 0; i < weights.length; i++) weights[i] = times[of[i] as number] as number;
    results.push(score(weights));
    await setImmediate();
  }
  return results;
}

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
