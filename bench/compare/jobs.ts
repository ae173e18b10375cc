// A comparison as a list of jobs, each of which is one training and one test.
import type { Contestant } from './contestants.js';

/** What of a study its jobs follow from. */
export interface Plan {
  name: string;
  contestants: readonly Pick<Contestant, 'name' | 'kind'>[];
}

/** One training: trial `trial` of a contestant, learned on fold `fold` from seed `seed`, with its answers for the fold's test points. */
export interface Job {
  study: string;
  contestant: string;
  fold: number;
  trial: number;
  seed: number;
}

export interface Budget {
  /** Trials of each contestant in each fold; the best on validation patients is the contestant's answer in this fold. */
  trials: number;
  /** Parts that the patients are cut into. */
  folds: number;
  /** How many of these are tested, from the first on. */
  tested: number;
  seeds: number;
}

/** The seed of trials; the chosen trial is then also the first of the seeds. */
export const FIRST_SEED = 1;

/** What is known of a job that was done, for choosing among trials. */
export interface Outcome {
  /** On validation patients; undefined where the training failed. */
  macroF1: number | undefined;
}

/** Where the result of a job is. */
export const fileOf = ({ study, contestant, fold, trial, seed }: Job): string =>
  `${study}/${contestant.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}/fold${fold}_trial${trial}_seed${seed}.json`;

/** Logistic regression and boosting draw no random numbers here, so that one seed tells all. */
export const seedsOf = ({ kind }: Pick<Contestant, 'kind'>, { seeds }: Budget): number[] =>
  Array.from({ length: kind === 'network' ? seeds : 1 }, (_, i) => FIRST_SEED + i);

const trialsOf = (contestant: string, study: string, fold: number, trials: number): Job[] =>
  Array.from({ length: trials }, (_, trial) => ({ study, contestant, fold, trial, seed: FIRST_SEED }));

/**
 * The trial that did best on the validation patients of its own fold; of equal ones, the first. Nothing of other folds is looked at:
 * their validation patients are tested here.
 *
 * @returns undefined as long as trials are missing, or where all failed
 */
export function chosenTrial(
  { name: study }: Pick<Plan, 'name'>,
  { name: contestant }: Pick<Contestant, 'name'>,
  fold: number,
  { trials }: Budget,
  outcome: (job: Job) => Outcome | undefined,
): number | undefined {
  const outcomes = trialsOf(contestant, study, fold, trials).map(outcome);
  if (outcomes.includes(undefined)) return undefined;
  const scores = outcomes.map((found) => found?.macroF1 ?? Number.NEGATIVE_INFINITY);
  const best = Math.max(...scores);
  return best === Number.NEGATIVE_INFINITY ? undefined : scores.indexOf(best);
}

/**
 * The jobs that are neither done nor wait for others, in the order in which they should be run: study by study, first the trials of all
 * folds, then the further seeds of the chosen ones; fold by fold, so that every contestant has been through the same folds.
 */
export function openJobs(studies: readonly Plan[], budget: Budget, outcome: (job: Job) => Outcome | undefined): Job[] {
  return studies.flatMap((study) => {
    const folds = Array.from({ length: budget.tested }, (_, fold) => fold);
    const first = folds.flatMap((fold) => study.contestants.flatMap(({ name }) => trialsOf(name, study.name, fold, budget.trials)));
    const further = folds.flatMap((fold) =>
      study.contestants.flatMap((contestant) => {
        const trial = chosenTrial(study, contestant, fold, budget, outcome);
        if (trial === undefined) return [];
        const { name } = contestant;
        return seedsOf(contestant, budget).map((seed): Job => ({ study: study.name, contestant: name, fold, trial, seed }));
      }),
    );
    const seen = new Set<string>();
    return [...first, ...further].filter((job) => {
      const file = fileOf(job);
      if (seen.has(file) || outcome(job) !== undefined) return false;
      seen.add(file);
      return true;
    });
  });
}

/** How many jobs a comparison has in all. */
export const countJobs = (studies: readonly Plan[], budget: Budget): number =>
  studies.reduce(
    (sum, { contestants }) =>
      sum + contestants.reduce((own, contestant) => own + budget.tested * (budget.trials + seedsOf(contestant, budget).length - 1), 0),
    0,
  );
