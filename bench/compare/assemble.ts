// From results of jobs to answers on all tested points: each point is answered by the model that has not seen its patient.

import type { CellDataset } from '../../src/train/dataset.js';
import { softmaxAt } from '../../src/train/temperature.js';
import { argmaxRow, type TestedPoints } from '../../src/train/tested_points.js';
import type { Contestant } from './contestants.js';
import { foldsOf, placesOf, pointsOf } from './folds.js';
import { type Budget, chosenTrial, FIRST_SEED, type Job, seedsOf } from './jobs.js';
import { decodeNumbers, type Result } from './store.js';
import type { StudyNames } from './studies.js';

/** What one contestant came to. */
export interface Answers {
  contestant: Contestant;
  /** A run per seed, probabilities at the temperature of each fold's validation patients. */
  runs: TestedPoints[];
  /** The same at temperature 1. */
  uncalibrated: TestedPoints[];
  /** The mean of the runs' calibrated probabilities; absent where there is one run. */
  ensemble: TestedPoints | undefined;
  /** Accuracy in each fold, mean over the runs. */
  folds: number[];
  parameters: number | undefined;
  shape: string | undefined;
  /** Mean processor time of a training. */
  seconds: number;
  features: number;
  /** Labels learned from, mean over folds. */
  trainingPoints: number;
}

/** The results of a contestant in one fold, by seed; undefined as long as one is missing. */
type FoldResults<R extends Result = Result> = (contestant: Contestant, fold: number) => R[] | undefined;

/** Every stored result that belongs to a study. */
export async function resultsOf<R extends Result>(
  study: StudyNames,
  budget: Budget,
  read: (job: Job, contestant: Contestant) => Promise<R | undefined>,
): Promise<FoldResults<R>> {
  const found = new Map<string, R[]>();
  for (const contestant of study.contestants) {
    for (let fold = 0; fold < budget.tested; fold++) {
      const job = { study: study.name, contestant: contestant.name, fold };
      const trials = new Map<number, R>();
      for (let trial = 0; trial < budget.trials; trial++) {
        const result = await read({ ...job, trial, seed: FIRST_SEED }, contestant);
        if (result) trials.set(trial, result);
      }
      const trial = chosenTrial(study, contestant, fold, budget, (one) => {
        const result = trials.get(one.trial);
        return result && { macroF1: result.macroF1 };
      });
      if (trial === undefined) continue;
      const results = await Promise.all(seedsOf(contestant, budget).map((seed) => read({ ...job, trial, seed }, contestant)));
      if (results.every((result) => result?.macroF1 !== undefined)) found.set(`${contestant.name} ${fold}`, results as R[]);
    }
  }
  return (contestant, fold) => found.get(`${contestant.name} ${fold}`);
}

/** Logits of one run of all tested folds to probabilities of the points. */
function pooled(
  points: Omit<TestedPoints, 'probabilities'>,
  places: readonly Int32Array[],
  results: readonly Result[],
  calibrated: boolean,
) {
  const classes = points.classes.length;
  const probabilities = new Float64Array(points.truth.length * classes).fill(Number.NaN);
  results.forEach(({ logits, temperature }, fold) => {
    const own = softmaxAt(decodeNumbers(logits), classes, calibrated ? temperature : 1);
    places[fold]?.forEach((place, i) => {
      probabilities.set(own.subarray(i * classes, (i + 1) * classes), place * classes);
    });
  });
  return { ...points, probabilities };
}

/** The mean of the probabilities of several runs on the same points. */
export function ensembleOf(runs: readonly TestedPoints[]): TestedPoints {
  const [first] = runs as [TestedPoints];
  const mean = Float64Array.from(
    first.probabilities,
    (_, i) => runs.reduce((sum, run) => sum + (run.probabilities[i] as number), 0) / runs.length,
  );
  return { ...first, probabilities: mean };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Points of folds that are not tested have no truth, so that they count nowhere. */
function testedPoints(dataset: CellDataset, places: readonly Int32Array[]): Omit<TestedPoints, 'probabilities'> {
  const { patients, truth } = pointsOf(dataset);
  const known = new Int32Array(truth.length).fill(-1);
  for (const list of places) for (const place of list) known[place] = truth[place] as number;
  return { classes: dataset.classes, truth: known, patients };
}

/** Mean over the runs of the share of a fold's points that are called right. */
function accuracyIn(places: Int32Array, runs: readonly TestedPoints[]): number {
  return mean(
    runs.map(({ classes, truth, probabilities }) => {
      const right = places.filter((place) => argmaxRow(probabilities, classes.length, place) === truth[place]);
      return right.length / places.length;
    }),
  );
}

/** The answers of every contestant that has been through all tested folds. */
export function assemble(study: StudyNames, budget: Budget, dataset: CellDataset, results: FoldResults): Answers[] {
  const tests = foldsOf(dataset, budget.folds).slice(0, budget.tested);
  const places = tests.map(({ test }) => placesOf(dataset, test));
  const points = testedPoints(dataset, places);
  return study.contestants.flatMap((contestant): Answers[] => {
    const folds = tests.map((_, fold) => results(contestant, fold));
    if (folds.includes(undefined)) return [];
    const all = folds as Result[][];
    const bySeed = seedsOf(contestant, budget).map((_, s) => all.map((fold) => fold[s] as Result));
    const runs = bySeed.map((own) => pooled(points, places, own, true));
    const [first] = all[0] as [Result];
    return [
      {
        ...{ contestant, runs, parameters: first.parameters, shape: first.shape, features: first.features },
        folds: places.map((list) => accuracyIn(list, runs)),
        uncalibrated: bySeed.map((own) => pooled(points, places, own, false)),
        ensemble: runs.length > 1 ? ensembleOf(runs) : undefined,
        seconds: mean(all.flat().map(({ seconds }) => seconds)),
        trainingPoints: mean(all.flat().map(({ trainingPoints }) => trainingPoints)),
      },
    ];
  });
}
