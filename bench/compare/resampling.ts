// Scores of many models on the same resamples of patients, so that any two of them can be compared without going through all again.
import type { Interval } from '../../src/report/evaluation_report.js';
import { quantile } from '../../src/train/bootstrap.js';
import { namedScores, Scorer } from '../../src/train/metrics.js';
import { seeded } from '../../src/train/seeded.js';
import type { TestedPoints } from '../../src/train/tested_points.js';

/** A score of the points as they are, and of each resample. */
export interface Sampled {
  value: number;
  resamples: Float64Array;
}

/** By the name of the score: those of `bootstrapIntervals`. */
export type SampledScores = ReadonlyMap<string, Sampled>;

/** How often each point counts in a resample: patients are drawn as `bootstrapIntervals` draws them. */
function weightsOf(patients: readonly string[], resample: number): Float64Array {
  const index = new Map<string, number>();
  const of = patients.map((name) => {
    const known = index.get(name) ?? index.size;
    index.set(name, known);
    return known;
  });
  const random = seeded(0, resample);
  const times = new Float64Array(index.size);
  for (let i = 0; i < index.size; i++) times[Math.floor(random() * index.size)]! += 1;
  return Float64Array.from(of, (patient) => times[patient] as number);
}

/** Scores the runs of a model; each score is the mean over the runs, in every resample. */
export function sampledScores(runs: readonly TestedPoints[], names: readonly string[], resamples: number): SampledScores {
  const scorers = runs.map((run) => new Scorer(run));
  const { patients, count } = (scorers[0] as Scorer).data;
  const clusters = patients ?? Array.from({ length: count }, (_, i) => String(i));
  const mean = (weights?: Float64Array) => {
    const all = scorers.map((scorer) => namedScores(scorer.scores(weights)));
    return names.map((name) => all.reduce((sum, scores) => sum + (scores[name] as number), 0) / all.length);
  };
  const whole = mean();
  const columns = names.map(() => new Float64Array(resamples));
  for (let resample = 0; resample < resamples; resample++) {
    mean(weightsOf(clusters, resample)).forEach((value, n) => {
      (columns[n] as Float64Array)[resample] = value;
    });
  }
  return new Map(names.map((name, n) => [name, { value: whole[n] as number, resamples: columns[n] as Float64Array }]));
}

/** The middle 95 % of the resamples that have a value. */
export function intervalOf({ value, resamples }: Sampled): Interval {
  const sorted = resamples.filter((one) => !Number.isNaN(one)).sort();
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), resamples: sorted.length };
}

/** The difference of one score, resample by resample. */
export function differenceOf(a: SampledScores, b: SampledScores, name: string): Interval {
  const [first, second] = [a.get(name) as Sampled, b.get(name) as Sampled];
  return intervalOf({
    value: first.value - second.value,
    resamples: first.resamples.map((value, i) => value - (second.resamples[i] as number)),
  });
}
