// One job from its name to its stored result.
import { performance } from 'node:perf_hooks';
import type { CellDataset } from '../../src/train/dataset.js';
import type { Contestant } from './contestants.js';
import { type FoldData, foldData } from './fold_data.js';
import { foldsOf, type Parts } from './folds.js';
import type { Job, Outcome } from './jobs.js';
import { networkJob } from './network_job.js';
import { findSklearn, sklearnJob } from './sklearn_job.js';
import { type Result, Store } from './store.js';
import { STUDIES, type Study, studyNamed } from './studies.js';
import { type Places, TASKS } from './tasks.js';
import { trialOf } from './trials.js';

export interface Setup {
  places: Places;
  /** Parts that the patients are cut into. */
  folds: number;
}

/** All that the result of a contestant depends on, beside what the job's name says. */
export function settingOf(study: Study, contestant: Contestant, folds: number, trial: number): string {
  const { title: _title, contestants: _others, standard, logistic, ...own } = study;
  const { name: _name, ...model } = contestant;
  return JSON.stringify([
    own,
    model,
    trialOf(contestant.kind, trial, { standard, logistic }),
    folds,
    TASKS.find(({ name }) => name === study.task)?.key,
  ]);
}

export const contestantOf = (study: Study, name: string): Contestant =>
  study.contestants.find((contestant) => contestant.name === name) as Contestant;

/** Does jobs in this process, and keeps what the next one may need: datasets, and the last fold. */
export class JobRunner {
  readonly #store: Store;
  readonly #parts = new Map<string, Parts[]>();
  #fold: { key: string; data: FoldData } | undefined;
  #python: string | undefined;

  constructor(readonly setup: Setup) {
    this.#store = new Store(setup.places.store);
  }

  async #partsOf(name: string): Promise<Parts[]> {
    const known = this.#parts.get(name);
    if (known) return known;
    const task = TASKS.find((one) => one.name === name);
    if (!task) throw new Error(`no data set ${name}`);
    const dataset: CellDataset = await task.make(this.setup.places, () => {});
    const parts = foldsOf(dataset, this.setup.folds);
    this.#parts.set(name, parts);
    return parts;
  }

  async #foldOf(study: Study, fold: number): Promise<FoldData> {
    const { task, tokens, features, points } = study;
    const key = JSON.stringify([task, fold, tokens.kind === 'cell', features, points]);
    if (this.#fold?.key !== key) {
      this.#fold = undefined;
      const parts = await this.#partsOf(task);
      this.#fold = { key, data: await foldData(parts[fold] as Parts, study, fold) };
    }
    return this.#fold.data;
  }

  async #result(study: Study, contestant: Contestant, job: Job): Promise<Omit<Result, 'setting'>> {
    const data = await this.#foldOf(study, job.fold);
    if (contestant.kind === 'network') return networkJob(study, contestant, data, job);
    if (this.#python === undefined) {
      const found = await findSklearn();
      if ('missing' in found) throw new Error(`no scikit-learn: ${found.missing}`);
      this.#python = found.python;
    }
    const folder = `${this.setup.places.store}/arrays/${study.name}-${job.fold}-of-${this.setup.folds}`;
    return sklearnJob(contestant.kind, this.#python, data, folder, { params: trialOf(contestant.kind, job.trial, study), seed: job.seed });
  }

  /** Does a job and stores what came of it; a training that fails is a result too. */
  async run(job: Job): Promise<Outcome & { failed?: string; seconds: number }> {
    const study = studyNamed(job.study, STUDIES);
    const contestant = contestantOf(study, job.contestant);
    const setting = settingOf(study, contestant, this.setup.folds, job.trial);
    const started = performance.now();
    let result: Omit<Result, 'setting'>;
    try {
      result = await this.#result(study, contestant, job);
    } catch (error) {
      const failed = (error as Error).message;
      result = { failed, temperature: 1, logits: '', seconds: (performance.now() - started) / 1000, features: 0, trainingPoints: 0 };
    }
    // Only what the model brought about is kept: what the machine lacks may be there at the next attempt.
    if (result.failed === undefined || /not finite|NaN/.test(result.failed)) await this.#store.write(job, { ...result, setting });
    const { macroF1, failed } = result;
    return { macroF1, seconds: (performance.now() - started) / 1000, ...(failed === undefined ? {} : { failed }) };
  }
}
