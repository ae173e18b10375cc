// npm run compare -- joint [run | plan | report] ...
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/native/load.js';
import { type Budget, countJobs } from './jobs.js';
import { jointData } from './joint_data.js';
import { type JointResult, type JointSetup, jointSettingOf, variantNamed } from './joint_job.js';
import { keepJointPlan, writeJointReport } from './joint_report.js';
import { JOINT_SETTING, JOINT_STUDY, type JointSetting, VARIANTS } from './joint_study.js';
import { runJobs } from './run_jobs.js';
import { Store } from './store.js';
import { isPresent, type Log, type Places, placesFor, TASKS } from './tasks.js';
import { WorkerProcess } from './worker_process.js';

export const jointUsage = `npm run compare -- joint [options]       trains what is still to be trained of cells and regions together, and stores results
npm run compare -- joint plan [options]  says how many trainings that is
npm run compare -- joint report          its tables into docs/results.md, and bench/results/compare_joint.json; so does report
  --variant text  only variants whose names contain the text: ${VARIANTS.map(({ name }) => name).join(', ')}
  --folds n       default 5; --tested n: of them, from the first on, default all; --only-fold n: this one alone
  --seeds n       default 3
  --size text     of the cells' backbone: small (as brca_cell), S, B; default ${JOINT_SETTING.size}
  --encoder text  S or B; default ${JOINT_SETTING.encoder}
  --epochs n      default ${JOINT_SETTING.epochs}
  --batch n       tiles per step, default ${JOINT_SETTING.batch}
  --crop n        side of the windows that are learned from, in pixels, default ${JOINT_SETTING.crop}
  --rate n        learning rate, default ${JOINT_SETTING.learningRate}
  --patience n    epochs without a better one before the end, default ${JOINT_SETTING.patience}
  --uncertainty   learns the weights of the two tasks
  --workers n     processes, one thread each, default 2
  --minutes n     starts no training after so many minutes
  --most n        ends after so many trainings
  --resamples n, --store folder, --data folder: as above`;

const read = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      variant: { type: 'string', default: '' },
      folds: { type: 'string', default: '5' },
      tested: { type: 'string' },
      'only-fold': { type: 'string' },
      seeds: { type: 'string', default: '3' },
      size: { type: 'string', default: JOINT_SETTING.size },
      encoder: { type: 'string', default: JOINT_SETTING.encoder },
      epochs: { type: 'string', default: String(JOINT_SETTING.epochs) },
      batch: { type: 'string', default: String(JOINT_SETTING.batch) },
      crop: { type: 'string', default: String(JOINT_SETTING.crop) },
      rate: { type: 'string', default: String(JOINT_SETTING.learningRate) },
      patience: { type: 'string', default: String(JOINT_SETTING.patience) },
      uncertainty: { type: 'boolean', default: JOINT_SETTING.uncertainty },
      workers: { type: 'string', default: '2' },
      minutes: { type: 'string' },
      most: { type: 'string' },
      resamples: { type: 'string', default: '1000' },
      store: { type: 'string' },
      data: { type: 'string' },
    },
  });

type Values = ReturnType<typeof read>['values'];

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= least) return value;
  throw new Error(`--${name} must be a number from ${least} on, received '${text}'\n${jointUsage}`);
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  if (known.includes(text as T)) return text as T;
  throw new Error(`--${name} must be one of ${known.join(', ')}, received '${text}'\n${jointUsage}`);
}

/** @throws Error with the usage where a value cannot be */
export function jointSettingFrom(values: Values): JointSetting {
  return {
    size: oneOf('size', values.size, ['small', 'S', 'B']),
    encoder: oneOf('encoder', values.encoder, ['S', 'B']),
    epochs: number('epochs', values.epochs, 1),
    batch: number('batch', values.batch, 1),
    crop: number('crop', values.crop, 32),
    learningRate: number('rate', values.rate, 0),
    patience: number('patience', values.patience, 1),
    uncertainty: values.uncertainty,
  };
}

/** @param args what stands behind `joint` */
export async function jointCommand(args: readonly string[], log: Log): Promise<void> {
  const { values, positionals } = read(args);
  const [command = 'run', ...others] = positionals;
  if (others.length > 0 || !['run', 'plan', 'report'].includes(command))
    throw new Error(`unknown: ${positionals.join(' ')}\n${jointUsage}`);
  const places = placesFor(values);
  if (command === 'report') {
    return writeJointReport(places, { root: packageRoot(), resamples: number('resamples', values.resamples, 1) }, log);
  }
  const folds = number('folds', values.folds, 2);
  const budget: Budget = {
    ...{ trials: 1, folds, seeds: number('seeds', values.seeds, 1) },
    tested: Math.min(folds, number('tested', values.tested ?? values.folds, 1)),
  };
  const setting = jointSettingFrom(values);
  const study = { ...JOINT_STUDY, contestants: VARIANTS.filter(({ name }) => name.toLowerCase().includes(values.variant.toLowerCase())) };
  log(`${study.name}: ${countJobs([study], budget)} trainings of ${study.contestants.map(({ name }) => name).join(', ')}`);
  if (command === 'plan') return;
  const task = TASKS.find(({ name }) => name === 'brca_m2c') as (typeof TASKS)[number];
  if (!isPresent(task, places)) throw new Error(`${join(places.data, task.needs)} is not there`);
  await train(values, places, { places, folds, setting }, { study, budget }, log);
}

async function train(
  values: Values,
  places: Places,
  setup: JointSetup,
  { study, budget }: { study: typeof JOINT_STUDY; budget: Budget },
  log: Log,
): Promise<void> {
  const minutes = values.minutes === undefined ? undefined : number('minutes', values.minutes, 0);
  const most = values.most === undefined ? Number.POSITIVE_INFINITY : number('most', values.most, 1);
  const only = values['only-fold'] === undefined ? undefined : number('only-fold', values['only-fold'], 0);
  await jointData(places, log); // features are extracted once, before there are several processes
  mkdirSync(join(places.store, 'results', study.name), { recursive: true });
  await keepJointPlan(places, { budget, setting: setup.setting });
  const store = new Store<JointResult>(places.store);
  const workers = Array.from({ length: number('workers', values.workers, 1) }, () => new WorkerProcess('joint_worker_main.js', setup));
  try {
    const { done, failed, open } = await runJobs({
      ...{ studies: [study], budget, workers, log, most },
      until: minutes === undefined ? undefined : Date.now() + 60_000 * minutes,
      wanted: ({ fold }) => only === undefined || fold === only,
      outcome: async (job) => {
        const found = await store.read(job, jointSettingOf(setup, variantNamed(job.contestant)));
        return found && { macroF1: found.macroF1 };
      },
    });
    log(`${done} trainings${failed > 0 ? `, of which ${failed} failed` : ''}; ${open} open`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    for (const worker of workers) worker.stop();
  }
}
