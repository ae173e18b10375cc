// npm run compare -- [run | plan | report | puma] ...
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/native/load.js';
import { contestantOf, settingOf } from './do_job.js';
import { type Budget, countJobs } from './jobs.js';
import { jointCommand, jointUsage } from './joint_command.js';
import { writeJointReport } from './joint_report.js';
import { outOfDomain, storedOutOfDomain } from './out_of_domain.js';
import { keepBudget, report } from './report_command.js';
import { runJobs } from './run_jobs.js';
import { findSklearn } from './sklearn_job.js';
import { Store } from './store.js';
import { STUDIES, type Study, studyNamed } from './studies.js';
import { isPresent, type Places, placesFor, TASKS } from './tasks.js';
import { WorkerProcess } from './worker_process.js';

const usage = `npm run compare -- [run] [options]      trains what is still to be trained, and stores results
npm run compare -- plan [options]       says how many trainings that is
npm run compare -- report [options]     writes the tables of docs/results.md, and bench/results/compare.json
npm run compare -- puma [options]       trains on all of brca_m2c and predicts the PUMA image
  --study a,b     default all: ${STUDIES.map(({ name }) => name).join(', ')}
  --model text    only contestants whose names contain the text
  --quick         2 trials and 1 seed on the first of the folds
  --trials n      random trials per contestant and fold, default 30
  --folds n       default 5
  --tested n      of them, from the first on, default all
  --seeds n       default 3
  --workers n     processes, one thread each, default 2
  --minutes n     starts no training after so many minutes
  --resamples n   of the patients, for the intervals, default 1000
  --store folder  default build/compare
  --data folder   default ../shared/data

${jointUsage}`;

const log = (line: string) => void process.stdout.write(`${line}\n`);

const number = (name: string, text: string, least: number): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value >= least) return value;
  throw new Error(`--${name} must be a number from ${least} on, received '${text}'\n${usage}`);
};

const read = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      study: { type: 'string' },
      model: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      trials: { type: 'string' },
      folds: { type: 'string', default: '5' },
      tested: { type: 'string' },
      seeds: { type: 'string' },
      workers: { type: 'string', default: '2' },
      minutes: { type: 'string' },
      resamples: { type: 'string', default: '1000' },
      store: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });

type Values = ReturnType<typeof read>['values'];

function budgetOf({ quick, trials, folds, tested, seeds }: Values): Budget {
  const parts = number('folds', folds, 2);
  return {
    trials: number('trials', trials ?? (quick ? '2' : '30'), 1),
    folds: parts,
    tested: Math.min(parts, number('tested', tested ?? (quick ? '1' : folds), 1)),
    seeds: number('seeds', seeds ?? (quick ? '1' : '3'), 1),
  };
}

/** The studies that were asked for, without those whose data or programs are missing. */
async function studiesFor({ study, model }: Values, places: Places): Promise<Study[]> {
  const asked = study ? study.split(',').map((name) => studyNamed(name)) : STUDIES;
  const sklearn = await findSklearn();
  if ('missing' in sklearn) log(`without scikit-learn (${sklearn.missing}); Debian has it as python3-sklearn`);
  const chosen: Study[] = [];
  for (const one of asked) {
    const task = TASKS.find(({ name }) => name === one.task);
    if (!task || !isPresent(task, places)) {
      log(`without ${one.name}: ${join(places.data, task?.needs ?? one.task)} is not there`);
      continue;
    }
    const possible = one.contestants.filter(({ kind }) => kind === 'network' || !('missing' in sklearn));
    chosen.push({ ...one, contestants: possible.filter(({ name }) => name.toLowerCase().includes(model.toLowerCase())) });
  }
  return chosen;
}

async function run(values: Values, places: Places, onlyPlan: boolean): Promise<void> {
  const budget = budgetOf(values);
  const studies = await studiesFor(values, places);
  for (const study of studies) log(`${study.name}: ${countJobs([study], budget)} trainings`);
  if (onlyPlan) return;
  for (const name of new Set(studies.map(({ task }) => task))) {
    await TASKS.find((task) => task.name === name)?.make(places, log); // features are extracted once, before there are several processes
  }
  for (const { name } of studies) {
    mkdirSync(join(places.store, 'results', name), { recursive: true });
    await keepBudget(places, name, budget);
  }
  const store = new Store(places.store);
  const setup = { places, folds: budget.folds };
  const workers = Array.from({ length: number('workers', values.workers, 1) }, () => new WorkerProcess('worker_main.js', setup));
  const minutes = values.minutes === undefined ? undefined : number('minutes', values.minutes, 0);
  try {
    const { done, failed, open } = await runJobs({
      ...{ studies, budget, workers, log },
      until: minutes === undefined ? undefined : Date.now() + 60_000 * minutes,
      outcome: async (job) => {
        const study = studyNamed(job.study);
        const found = await store.read(job, settingOf(study, contestantOf(study, job.contestant), budget.folds, job.trial));
        return found && { macroF1: found.macroF1 };
      },
    });
    log(`${done} trainings${failed > 0 ? `, of which ${failed} failed` : ''}; ${open} open`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    for (const worker of workers) worker.stop();
  }
}

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'joint') return jointCommand(rest, log);
  const { values, positionals } = read();
  const [command = 'run', ...others] = positionals;
  if (values.help) return log(usage);
  if (others.length > 0 || !['run', 'plan', 'report', 'puma'].includes(command))
    throw new Error(`unknown: ${positionals.join(' ')}\n${usage}`);
  const root = packageRoot();
  const places = placesFor(values);
  if (command === 'report') {
    const resamples = number('resamples', values.resamples, 1);
    const puma = await storedOutOfDomain(places);
    const others = new Map(puma ? [['puma', puma]] : []);
    await report(await studiesFor(values, places), places, { root, resamples, others }, log);
    if (!values.study) await writeJointReport(places, { root, resamples }, log);
  } else if (command === 'puma') {
    await outOfDomain(places, number('seeds', values.seeds ?? '3', 1), log);
  } else {
    await run(values, places, command === 'plan');
  }
}

await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
