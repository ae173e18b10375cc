import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { assemble, resultsOf } from '../../bench/compare/assemble.js';
import { ABLATIONS, type Contestant, matchedConfig, NETWORKS, RELEASED, UAM_MODELS } from '../../bench/compare/contestants.js';
import { telling } from '../../bench/compare/feature_choice.js';
import { foldData } from '../../bench/compare/fold_data.js';
import { foldsOf, placesOf, pointsOf } from '../../bench/compare/folds.js';
import { type Budget, countJobs, fileOf, type Job } from '../../bench/compare/jobs.js';
import { networkJob } from '../../bench/compare/network_job.js';
import { differenceOf, intervalOf, sampledScores } from '../../bench/compare/resampling.js';
import { studyText, withBlock } from '../../bench/compare/results_tables.js';
import { runJobs, type Worker } from '../../bench/compare/run_jobs.js';
import { encodeNumbers, type Result, Store } from '../../bench/compare/store.js';
import { STUDIES, type Study } from '../../bench/compare/studies.js';
import { summarise } from '../../bench/compare/summary.js';
import { networkTrial } from '../../bench/compare/trials.js';
import { classifierParameterCount } from '../../src/heads/cell_classifier.js';
import type { Interval } from '../../src/report/evaluation_report.js';
import { bootstrapIntervals, pairedDifference } from '../../src/train/bootstrap.js';
import { CellDataset } from '../../src/train/dataset.js';
import { uniform } from '../support/random.js';
import { LITTLE, tilesOfCells } from '../support/training_sets.js';

const SET = CellDataset.from(
  tilesOfCells({ tiles: 24, cells: 10 }).map((tile, i) => ({ ...tile, patient: `patient ${i % 11}`, name: `tile ${i}` })),
);

const CONTESTANTS: Contestant[] = [
  ...UAM_MODELS.slice(0, 1),
  { name: 'Transformer', kind: 'network', backbone: { architecture: 'transformer' } },
  { name: 'Gradient-boosted trees', kind: 'trees' },
];
const STANDARD = { rate: 1, weightDecay: 0.05, dropout: 0.1, dropPath: 0, noise: 0, hide: 0, labelSmoothing: 0 };
const STUDY: Study = {
  ...{ name: 'tiny', title: 'tiny', task: 'none', tokens: { kind: 'cell' }, size: LITTLE, standard: STANDARD, contestants: CONTESTANTS },
  fit: { learningRate: 1e-3, epochs: 1 },
  logistic: { C: 1 },
};
const BUDGET: Budget = { trials: 2, folds: 3, tested: 3, seeds: 2 };

t.test('no patient is on two sides of a fold, and each is tested once', async (t) => {
  const folds = foldsOf(SET, 5);
  const tested = folds.flatMap(({ test }) => test.patients);
  t.same([...tested].sort(), [...SET.patients].sort());
  for (const { training, validation, test } of folds) {
    const all = [...training.patients, ...validation.patients, ...test.patients];
    t.equal(new Set(all).size, all.length);
    t.equal(all.length, SET.patients.length);
    t.ok(validation.patients.length > 0);
  }
  const places = folds.flatMap(({ test }) => [...placesOf(SET, test)]);
  t.equal(new Set(places).size, pointsOf(SET).truth.length, 'every point is tested once');
});

t.test('all networks have the parameters of Amamba, within 5 %', async (t) => {
  for (const study of STUDIES) {
    for (const features of [10, 544]) {
      const fit = { features, classes: 3, tokens: study.tokens };
      const target = classifierParameterCount(matchedConfig({ backbone: { architecture: 'amamba' } }, study.size, fit)).total;
      for (const contestant of study.contestants) {
        if (contestant.kind !== 'network') continue;
        const { total } = classifierParameterCount(matchedConfig(contestant, study.size, fit));
        t.ok(
          Math.abs(total - target) <= 0.05 * target,
          `${study.name}, ${features} features: ${contestant.name} has ${total} of ${target}`,
        );
      }
    }
  }
  t.ok([...UAM_MODELS, ...NETWORKS, ...ABLATIONS, RELEASED].every(({ kind }) => kind === 'network'));
});

t.test('trials are drawn alike for all, and the first is what one would take anyway', async (t) => {
  t.same(networkTrial(0, STANDARD), STANDARD);
  t.same(networkTrial(3, STANDARD), networkTrial(3, { ...STANDARD, rate: 7 }));
  t.notSame(networkTrial(3, STANDARD), networkTrial(4, STANDARD));
});

/** Results whose validation score follows from the job, and whose answers are better for UAM. */
function madeResult(job: Job): Result {
  const folds = foldsOf(SET, BUDGET.folds);
  const { truth } = pointsOf(folds[job.fold]?.test as CellDataset);
  const next = uniform(1 + job.fold + 10 * job.seed + 100 * job.trial + 1000 * job.contestant.length);
  const sure = job.contestant.startsWith('UAM') ? 4 : 1;
  const logits = Float32Array.from(
    [...truth].flatMap((own, i) => [0, 1].map((c) => (i === 3 ? Number.NaN : (c === own ? sure : 0) + 2 * next()))),
  );
  const scores = [0.5, job.fold === 1 ? 0.9 : 0.4];
  return {
    ...{ setting: 'made', macroF1: scores[job.trial] as number, temperature: 1.5, logits: encodeNumbers(logits), seconds: 1 },
    ...{ parameters: 100, shape: '16 x 2', features: 5, trainingPoints: 100 },
  };
}

class MadeWorker implements Worker {
  constructor(
    private readonly store: Store,
    private readonly did: Job[],
    private readonly most: number,
  ) {}

  async run(job: Job) {
    if (this.did.length >= this.most) throw new Error('killed');
    this.did.push(job);
    const result = madeResult(job);
    await this.store.write(job, result);
    return { macroF1: result.macroF1, seconds: 0 };
  }

  stop(): void {}
}

function planFor(store: Store, did: Job[], most: number) {
  const outcome = async (job: Job) => {
    const found = await store.read(job, 'made');
    return found && { macroF1: found.macroF1 };
  };
  const workers = [new MadeWorker(store, did, most), new MadeWorker(store, did, most)];
  return { studies: [STUDY], budget: BUDGET, workers, outcome, log: () => {} };
}

t.test('a run that was killed goes on where it was', async (t) => {
  const store = new Store(t.testdir());
  const first: Job[] = [];
  await t.rejects(runJobs(planFor(store, first, 9)), /killed/);
  t.equal(first.length, 9);
  // Half a file of a process that died, and a result of other settings: neither is one.
  const [broken, other] = [
    { ...(first[0] as Job), seed: 7 },
    { ...(first[0] as Job), trial: 1, fold: 2 },
  ];
  const half = join(store.folder, 'results', `${dirname(fileOf(broken))}/.${'fold0_trial0_seed7.json'}.1-ab.tmp`);
  await mkdir(dirname(half), { recursive: true });
  await writeFile(half, '{"setting":');
  await store.write(other, { ...madeResult(other), setting: 'another' });
  const second: Job[] = [];
  const { done, failed, open } = await runJobs(planFor(store, second, Number.POSITIVE_INFINITY));
  const total = countJobs([STUDY], BUDGET);
  t.equal(total, 3 * (2 * (2 + 1) + 2));
  t.same([first.length + done, failed, open], [total, 0, 0]);
  t.equal(new Set([...first, ...second].map(fileOf)).size, total, 'nothing was done twice');
  t.ok(existsSync(join(store.folder, 'results', fileOf(first[0] as Job))));
  const third: Job[] = [];
  await runJobs(planFor(store, third, 0));
  t.equal(third.length, 0);
  const further = [...first, ...second].filter(({ seed, contestant }) => seed === 2 && contestant === 'UAM Amamba');
  t.same(
    further.map(({ fold, trial }) => [fold, trial]),
    [
      [0, 0],
      [1, 1],
      [2, 0],
    ],
    'each fold takes the trial that did best on its own validation patients',
  );
});

t.test('no training is started after the time that was given', async (t) => {
  const did: Job[] = [];
  const { open } = await runJobs({ ...planFor(new Store(t.testdir()), did, 99), until: 0 });
  t.equal(did.length, 0);
  t.ok(open > 0);
});

t.test('tables of a store: means over seeds, intervals and differences as the package computes them', async (t) => {
  const store = new Store(t.testdir());
  await runJobs(planFor(store, [], Number.POSITIVE_INFINITY));
  const results = await resultsOf(STUDY, BUDGET, (job) => store.read(job, 'made'));
  const answers = assemble(STUDY, BUDGET, SET, results);
  t.same(
    answers.map(({ contestant, runs }) => [contestant.name, runs.length]),
    [
      ['UAM Amamba', 2],
      ['Transformer', 2],
      ['Gradient-boosted trees', 1],
    ],
  );
  const [uam, transformer] = answers.map(({ runs }) => runs) as [(typeof answers)[0]['runs'], (typeof answers)[0]['runs']];
  const sampled = [uam, transformer].map((runs) => sampledScores(runs, 50));
  const [a, b] = sampled as [ReturnType<typeof sampledScores>, ReturnType<typeof sampledScores>];
  const near = (own: Interval, theirs: Interval, what: string) => {
    t.ok(Math.abs(own.value - theirs.value) + Math.abs(own.low - theirs.low) + Math.abs(own.high - theirs.high) < 1e-9, what);
    t.equal(own.resamples, theirs.resamples);
  };
  for (const name of ['macroF1', 'auroc:tumour']) {
    near(differenceOf(a, b, name), await pairedDifference(uam, transformer, name, { resamples: 50 }), name);
  }
  const theirs = await bootstrapIntervals(uam[0] as (typeof uam)[0], { resamples: 50 });
  for (const [name, own] of sampledScores(uam.slice(0, 1), 50)) near(intervalOf(own), theirs[name] as Interval, name);

  const summary = summarise(STUDY, BUDGET, answers, { positive: 'tumour', resamples: 50, log: () => {} });
  if (!summary) throw new Error('no summary');
  t.equal(summary.unanswered, 3, 'a point per fold that lies on no cell');
  t.equal(summary.points, 240);
  const text = studyText(summary);
  t.match(text, /\*\*UAM Amamba\*\* \| 100 \| 16 x 2 \| 0\.\d{3} \(0\.\d{3} to/);
  t.match(text, /\| UAM Amamba \u2212 Transformer \| \*\*\+0\.\d{3} \(\+0\.\d{3} to \+0\.\d{3}\)\*\*/);
  const widths = text.split('\n').flatMap((line) => (line.startsWith('|') ? [line.split('|').length] : [0]));
  for (const [i, width] of widths.entries()) if (i > 0 && width > 0 && widths[i - 1]) t.equal(width, widths[i - 1]);
  const page = withBlock('a\n<!-- compare: tiny -->\nstale\n<!-- end: tiny -->\nb', 'tiny', text);
  t.ok(page?.startsWith('a\n<!-- compare: tiny -->\n\n') && page.endsWith('<!-- end: tiny -->\nb') && !page.includes('stale'));
  t.equal(withBlock('no marks', 'tiny', text), undefined);
});

t.test('a network learns a fold and answers its test points, the same in every run', async (t) => {
  const parts = foldsOf(SET, 3)[0] as ReturnType<typeof foldsOf>[0];
  const data = await foldData(parts, STUDY, 0);
  const [contestant] = CONTESTANTS as [Extract<Contestant, { kind: 'network' }>];
  const run = () => networkJob(STUDY, contestant, data, { trial: 1, seed: 2 });
  const [once, again] = [await run(), await run()];
  t.equal(once.logits, again.logits);
  t.equal(Buffer.from(once.logits, 'base64').length, 4 * 2 * pointsOf(parts.test).truth.length);
  const few = await foldData(parts, { ...STUDY, tokens: { kind: 'feature' }, features: 2, points: 20 }, 0);
  t.equal(few.features, 2);
  t.ok(few.packed.training.labels.length <= 22);
  t.same(few.truth.test, data.truth.test, 'all points are tested');
  t.equal(telling(parts.training, 1, () => true)[0], 'glcm_F0', 'the feature that decides the class');
});
