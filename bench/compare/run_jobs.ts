// Runs jobs until none is open: several at a time, each done by whoever is free.
import { type Budget, countJobs, type Job, type Outcome, openJobs, type Plan } from './jobs.js';

/** Who does jobs, one at a time: a process, or this one. */
export interface Worker {
  /** Does a job and stores its result. */
  run(job: Job): Promise<Outcome & { failed?: string; seconds: number }>;
  stop(): void;
}

export interface RunPlan {
  studies: readonly Plan[];
  budget: Budget;
  workers: readonly Worker[];
  /** What is stored of a job. */
  outcome(job: Job): Promise<Outcome | undefined>;
  log(line: string): void;
  /** No job is started after this moment (`Date.now()`). */
  until?: number | undefined;
  /** No job is started after so many. */
  most?: number | undefined;
  /** Which of the open jobs are done; default all. */
  wanted?: ((job: Job) => boolean) | undefined;
}

export interface RunSummary {
  done: number;
  failed: number;
  /** What is left, as far as it is known. */
  open: number;
}

const keyOf = (job: Job) => JSON.stringify([job.study, job.contestant, job.fold, job.trial, job.seed]);

/** Everything that is stored of these studies. */
async function storedOutcomes({ studies, budget, outcome }: RunPlan): Promise<Map<string, Outcome>> {
  const known = new Map<string, Outcome>();
  for (;;) {
    // Which seeds belong to the comparison follows from its trials: ask again until no more turn up.
    const before = known.size;
    for (const job of openJobs(studies, budget, (one) => known.get(keyOf(one)))) {
      const found = await outcome(job);
      if (found) known.set(keyOf(job), found);
    }
    if (known.size === before) return known;
  }
}

/** @throws what a worker throws that could not do its job at all; what has been stored stays */
export async function runJobs(plan: RunPlan): Promise<RunSummary> {
  const { studies, budget, workers, log, until = Number.POSITIVE_INFINITY, most = Number.POSITIVE_INFINITY, wanted = () => true } = plan;
  const known = await storedOutcomes(plan);
  const total = countJobs(studies, budget);
  const running = new Map<string, Promise<void>>();
  const idle = [...workers];
  let [done, failed, started] = [0, 0, 0];
  const openOnes = () => openJobs(studies, budget, (job) => known.get(keyOf(job))).filter((job) => wanted(job) && !running.has(keyOf(job)));
  if (known.size > 0) log(`${known.size} of ${total} results are there already`);

  const start = (worker: Worker, job: Job): void => {
    const key = keyOf(job);
    const work = worker.run(job).then(({ macroF1, failed: reason, seconds }) => {
      known.set(key, { macroF1 });
      done++;
      if (reason !== undefined) failed++;
      const outcome = reason === undefined ? `F1 ${macroF1?.toFixed(3)}` : `failed: ${reason}`;
      const { study, contestant, fold, trial, seed } = job;
      log(
        `${known.size}/${total} ${study}: ${contestant}, fold ${fold}, trial ${trial}, seed ${seed}: ${outcome}, ${seconds.toFixed(1)} s`,
      );
      idle.push(worker);
    });
    running.set(
      key,
      work.finally(() => running.delete(key)),
    );
  };
  for (;;) {
    const open = Date.now() >= until ? [] : openOnes();
    for (const job of open.slice(0, Math.min(idle.length, most - started))) {
      started++;
      start(idle.shift() as Worker, job);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  return { done, failed, open: openOnes().length };
}
