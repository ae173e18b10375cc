// Scores of many models on the same resamples of patients, so that any two of them can be compared without going through all again.
import type { Interval } from '../../src/report/evaluation_report.js';
import { quantile } from '../../src/train/resampled.js';
import { seeded } from '../../src/train/seeded.js';
import type { TestedPoints } from '../../src/train/tested_points.js';
import { PatientScores } from './patient_scores.js';

/** A score of the points as they are, and of each resample. */
export interface Sampled {
  value: number;
  resamples: Float64Array;
}

/** By the name of the score: those of `PatientScores`. */
export type SampledScores = ReadonlyMap<string, Sampled>;

/** How often each patient comes in a resample: drawn as `bootstrapIntervals` draws. */
export function drawn(patients: number, resample: number): Float64Array {
  const random = seeded(0, resample);
  const times = new Float64Array(patients);
  for (let i = 0; i < patients; i++) times[Math.floor(random() * patients)]! += 1;
  return times;
}

/** Scores the runs of a model; each score is the mean over the runs, in every resample. */
export function sampledScores(runs: readonly TestedPoints[], resamples: number): SampledScores {
  const counted = runs.map((run) => new PatientScores(run));
  const { patients } = counted[0] as PatientScores;
  const mean = (times: Float64Array) => {
    const all = counted.map((one) => one.scores(times));
    return new Map(
      [...(all[0] as Map<string, number>).keys()].map((name) => [
        name,
        all.reduce((sum, scores) => sum + (scores.get(name) as number), 0) / all.length,
      ]),
    );
  };
  const found = new Map(
    [...mean(new Float64Array(patients).fill(1))].map(([name, value]) => [name, { value, resamples: new Float64Array(resamples) }]),
  );
  for (let resample = 0; resample < resamples; resample++) {
    for (const [name, value] of mean(drawn(patients, resample))) (found.get(name) as Sampled).resamples[resample] = value;
  }
  return found;
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
