// A study in numbers: what the tables show, and what is kept as JSON.
import type { Interval } from '../../src/report/evaluation_report.js';
import { scorePredictions } from '../../src/train/metrics.js';
import type { TestedPoints } from '../../src/train/tested_points.js';
import type { Answers } from './assemble.js';
import type { Budget } from './jobs.js';
import { differenceOf, intervalOf, type SampledScores, sampledScores } from './resampling.js';
import type { StudyNames } from './studies.js';

export interface Row {
  name: string;
  /** A baseline, UAM, or UAM with a thing changed. */
  uam: boolean;
  parameters?: number | undefined;
  shape?: string | undefined;
  seconds: number;
  seeds: number;
  /** Accuracy in each fold, mean over the seeds. */
  folds: number[];
  /** Mean over the seeds, with intervals over patients. */
  scores: Record<string, Interval>;
  /** Greatest less least over the seeds. */
  spread: Record<string, number>;
  /** Calibration error at the temperature of the validation patients, mean over the seeds; and without it. */
  ece: number;
  eceBefore: number;
  /** Of the seeds' mean probabilities. */
  ensemble?: Record<string, Interval>;
  ensembleEce?: number;
}

export interface Difference {
  of: string;
  from: string;
  /** Mean over seeds of the one less that of the other, on the same resamples of patients. */
  scores: Record<string, Interval>;
  /** The same of the ensembles. */
  ensemble: Record<string, Interval>;
}

export interface Summary {
  study: string;
  title: string;
  budget: Budget;
  classes: readonly string[];
  positive: string;
  points: number;
  patients: number;
  /** Points on no nucleus: errors of all. */
  unanswered: number;
  features: number;
  trainingPoints: number;
  rows: Row[];
  differences: Difference[];
}

/** The scores in which models are compared. */
export const comparedScores = (positive: string): string[] => ['accuracy', 'macroF1', `auroc:${positive}`];

const intervals = (scores: SampledScores): Record<string, Interval> =>
  Object.fromEntries([...scores].map(([name, sampled]) => [name, intervalOf(sampled)]));

const meanEce = (runs: readonly TestedPoints[]): number => runs.reduce((sum, run) => sum + scorePredictions(run).ece, 0) / runs.length;

/** Scores all answers of a study, and compares the models of UAM with each of the others. */
export function summarise(
  study: StudyNames,
  budget: Budget,
  answers: readonly Answers[],
  { positive, resamples, log }: { positive: string; resamples: number; log: (line: string) => void },
): Summary | undefined {
  const [first] = answers;
  if (!first) return undefined;
  const run = first.runs[0] as Answers['runs'][number];
  const { classes } = run;
  const sampled = new Map<string, { runs: SampledScores; ensemble: SampledScores }>();
  const rows = answers.map((own): Row => {
    log(`${study.name}: ${own.contestant.name}`);
    const runs = sampledScores(own.runs, resamples);
    const ensemble = own.ensemble ? sampledScores([own.ensemble], resamples) : runs;
    sampled.set(own.contestant.name, { runs, ensemble });
    const single = own.runs.map((one) => sampledScores([one], 0));
    const spread = (name: string) => {
      const values = single.map((scores) => scores.get(name)?.value as number);
      return Math.max(...values) - Math.min(...values);
    };
    const { contestant, parameters, shape, seconds } = own;
    return {
      ...{
        name: contestant.name,
        uam: contestant.kind === 'network' && contestant.uam === true,
        parameters,
        shape,
        seconds,
        folds: own.folds,
      },
      ...{ seeds: own.runs.length, scores: intervals(runs), ece: meanEce(own.runs), eceBefore: meanEce(own.uncalibrated) },
      spread: Object.fromEntries(comparedScores(positive).map((name) => [name, spread(name)])),
      ...(own.ensemble ? { ensemble: intervals(ensemble), ensembleEce: meanEce([own.ensemble]) } : {}),
    };
  });
  const differences = rows
    .filter(({ uam }) => uam)
    .flatMap(({ name: of }) =>
      rows
        .filter(({ name }) => name !== of)
        .map(({ name: from }): Difference => {
          const [a, b] = [sampled.get(of), sampled.get(from)] as [
            { runs: SampledScores; ensemble: SampledScores },
            { runs: SampledScores; ensemble: SampledScores },
          ];
          const all = (which: 'runs' | 'ensemble') =>
            Object.fromEntries(comparedScores(positive).map((name) => [name, differenceOf(a[which], b[which], name)]));
          return { of, from, scores: all('runs'), ensemble: all('ensemble') };
        }),
    );
  const tested = [...(run.truth as Int32Array).keys()].filter((i) => (run.truth[i] as number) >= 0);
  return {
    ...{ study: study.name, title: study.title, budget, classes, positive, points: tested.length, features: first.features },
    patients: new Set(tested.map((i) => run.patients?.[i])).size,
    unanswered: tested.filter((i) => Number.isNaN(run.probabilities[i * classes.length])).length,
    trainingPoints: Math.round(first.trainingPoints),
    rows,
    differences,
  };
}
