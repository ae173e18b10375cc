// The comparison of ways to join image and cells: what is trained, what a report says of a store that is not complete.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { foldsOf, pointsOf } from '../../bench/compare/folds.js';
import { type Budget, type Job, openJobs } from '../../bench/compare/jobs.js';
import { jointSettingFrom } from '../../bench/compare/joint_command.js';
import { type JointResult, jointJob, jointSettingOf, withoutFeatures } from '../../bench/compare/joint_job.js';
import { summariseRegions } from '../../bench/compare/joint_regions.js';
import { comparable, jointBlocks, keepJointPlan, missingText } from '../../bench/compare/joint_report.js';
import { ALONE, IMAGE_ALONE, JOINT_SETTING, JOINT_STUDY, type JointVariant, VARIANTS } from '../../bench/compare/joint_study.js';
import { runJobs } from '../../bench/compare/run_jobs.js';
import { encodeNumbers } from '../../bench/compare/store.js';
import type { Interval } from '../../src/report/evaluation_report.js';
import { JointDataset } from '../../src/train/joint_dataset.js';
import { pairedRegionDifference, type ScoredImage, scoreRegions } from '../../src/train/region_scores.js';
import { jointTile } from '../support/joint_sets.js';
import { uniform } from '../support/random.js';

const SET = JointDataset.of(
  Array.from({ length: 20 }, (_, i) => {
    const tile = jointTile(i, { width: 32, height: 32, cells: 8 });
    const classes = (tile.classes as string[]).map((name) => (name === 'tumour' ? 'tumour_epithelial' : name));
    return { ...tile, patient: `patient ${i % 10}`, classes };
  }),
  { mpp: 0.5 },
);
const BUDGET: Budget = { trials: 1, folds: 3, tested: 3, seeds: 2 };
const FOLDS = foldsOf(SET, BUDGET.folds);

/** Answers that are the better the further the variant stands in the list. */
function madeResult(variant: JointVariant, fold: number, seed: number): JointResult {
  const next = uniform(1 + fold + 10 * seed);
  const skill = VARIANTS.indexOf(variant);
  const { test } = FOLDS[fold] as (typeof FOLDS)[0];
  const { truth } = pointsOf(test);
  const regions = test.samples.map(({ name, patient }): ScoredImage => {
    const tp = 300 + 40 * skill + Math.floor(20 * next());
    const edges = { calledEdge: 40, calledNear: 10 + 5 * skill, trueEdge: 40, trueNear: 20 };
    return { name, patient, counts: [{ tp, fn: 512 - tp, fp: 150, tn: 362, unknown: 0, ...edges }] };
  });
  return {
    ...{
      setting: '',
      macroF1: 0.5,
      dice: 0.6,
      temperature: 1.2,
      seconds: 3,
      features: 2,
      trainingPoints: 80,
      parameters: 1000,
      shape: '16 x 2',
    },
    logits: encodeNumbers(Float32Array.from([...truth].flatMap((own) => [0, 1].map((c) => (c === own ? skill : 0) + 2 * next())))),
    regions,
  };
}

const all = (variant: JointVariant, fold: number, seed: number) => madeResult(variant, fold, seed);
const quick = { resamples: 40, log: () => {} };
const PLAN = { budget: BUDGET, setting: JOINT_SETTING };

t.test('cells and regions of a complete store, as the package scores them', async (t) => {
  const blocks = await jointBlocks(PLAN, all, async () => SET, quick);
  if (!blocks) throw new Error('no tables');
  const { text, goals, numbers } = blocks;
  t.equal(numbers.missing, undefined);
  t.notMatch(text, /Not trained yet|NaN|undefined/);
  t.match(text, /Regions, \*\*masks derived from points/);
  t.equal(text.match(/masks derived\)/g)?.length, 3, 'wherever the number stands');
  t.match(text, /\| \*\*Fusion cross\*\* \| 1,000 \| 16 x 2 \|/);
  t.match(text, new RegExp(`\\| Fusion cross \u2212 ${IMAGE_ALONE} \\|`));
  t.match(goals, /\| region Dice above the image alone by 0\.05 \(masks derived\) \| \*\*\+0\.\d{3} \(.*\| \*\*\+0\.\d{3} \(/);
  const widths = text.split('\n').map((line) => (line.startsWith('|') ? line.split('|').length : 0));
  for (const [i, width] of widths.entries()) if (i > 0 && width > 0 && widths[i - 1]) t.equal(width, widths[i - 1]);

  const runsOf = (variant: JointVariant) => [1, 2].map((seed) => [0, 1, 2].flatMap((fold) => madeResult(variant, fold, seed).regions));
  const [none, , , cross] = VARIANTS as [JointVariant, JointVariant, JointVariant, JointVariant];
  const theirs = await pairedRegionDifference(runsOf(cross), runsOf(none), 'dice:tumour', { resamples: 40 });
  const ours = numbers.regions?.differences.find(({ of }) => of === cross.name)?.scores['dice:tumour'] as Interval;
  const single = summariseRegions(new Map([['one', runsOf(cross).slice(0, 1)]]), { region: 'tumour', alone: ALONE, resamples: 40 });
  const { intervals } = await scoreRegions(runsOf(cross)[0] as ScoredImage[], { resamples: 40 });
  for (const [a, b] of [[ours, theirs] as const, [single?.rows[0]?.scores['imageIou:tumour'], intervals['imageIou:tumour']] as const]) {
    t.ok(Math.abs((a?.value ?? 0) - (b?.value ?? 1)) + Math.abs((a?.low ?? 0) - (b?.low ?? 1)) < 1e-9, `${a?.low} ${b?.low}`);
  }
});

t.test('a store that is not complete says what is missing', async (t) => {
  const [none, image, mean, cross] = VARIANTS as [JointVariant, JointVariant, JointVariant, JointVariant];
  /** Fold 2 of `cross` and all of the image alone are missing; of seed 2 there is the first fold. */
  const some = (variant: JointVariant, fold: number, seed: number) => {
    if (variant === image || (variant === cross && fold === 2) || (seed === 2 && fold > 0)) return undefined;
    return madeResult(variant, fold, seed);
  };
  t.same(comparable(VARIANTS, BUDGET, some), { variants: [none, mean, cross], tested: 2, seeds: 1 });
  const missing = missingText(VARIANTS, BUDGET, some) ?? '';
  t.match(
    missing,
    new RegExp(`${IMAGE_ALONE}: everything\\. Fusion mean: seed 2 in folds 1, 2\\. Fusion cross: seed 1 in fold 2; seed 2 in folds 1, 2`),
  );
  const blocks = await jointBlocks(PLAN, some, async () => SET, quick);
  t.match(blocks?.text, /^\*\*Not trained yet\*\*/);
  t.match(blocks?.text, /; 2 of 3 folds, 1 trial, 1 seed;/);
  t.match(blocks?.goals, /macro-F1 above the image alone by 0\.03 \| - \| - \|/);
  t.equal(
    await jointBlocks(
      PLAN,
      () => undefined,
      async () => SET,
      quick,
    ),
    undefined,
  );
});

t.test('what a job is called by, and which are open', async (t) => {
  const [first] = VARIANTS as [JointVariant];
  const setting = jointSettingOf({ setting: JOINT_SETTING, folds: 5 }, first);
  t.not(jointSettingOf({ setting: { ...JOINT_SETTING, epochs: 2 }, folds: 5 }, first), setting);
  t.not(jointSettingOf({ setting: JOINT_SETTING, folds: 4 }, first), setting);
  t.equal(jointSettingOf({ setting: JOINT_SETTING, folds: 5 }, { ...first, name: 'renamed' }), setting);
  const jobs = openJobs([JOINT_STUDY], BUDGET, () => undefined);
  t.same(
    jobs.slice(0, 5).map(({ contestant, fold, seed }) => [contestant, fold, seed]),
    [...VARIANTS.map(({ name }) => [name, 0, 1]), [ALONE, 1, 1]],
    'all variants go through a fold before the next',
  );
  const did: Job[] = [];
  const worker = {
    async run(job: Job) {
      did.push(job);
      return { macroF1: 0.5, seconds: 0 };
    },
    stop() {},
  };
  const plan = { studies: [JOINT_STUDY], budget: BUDGET, workers: [worker], outcome: async () => undefined, log: () => {} };
  const { open } = await runJobs({ ...plan, most: 3, wanted: ({ fold }) => fold === 1 });
  t.same([did.length, did.every(({ fold }) => fold === 1)], [3, true]);
  t.equal(open, 1 + 3, 'the fourth variant, and the second seed of three');
  t.throws(() => jointSettingFrom({ size: 'XL' } as never), /--size must be one of small, S, B/);
});

t.test('what was asked for is kept; a run of a part takes nothing back', async (t) => {
  const store = t.testdir({ results: { [JOINT_STUDY.name]: {} } });
  const keep = async (budget: Partial<Budget>, setting = JOINT_SETTING) => {
    await keepJointPlan({ data: '', store }, { budget: { ...BUDGET, ...budget }, setting });
    return JSON.parse(readFileSync(join(store, 'results', JOINT_STUDY.name, 'plan.json'), 'utf8')).budget;
  };
  t.match(await keep({}), { tested: 3, seeds: 2 });
  t.match(await keep({ tested: 1, seeds: 1 }), { tested: 3, seeds: 2 });
  t.match(await keep({ seeds: 3 }), { tested: 3, seeds: 3 });
  t.match(await keep({ seeds: 1 }, { ...JOINT_SETTING, epochs: 1 }), { tested: 3, seeds: 1 }, 'other settings begin anew');
});

t.test('a variant learns a fold; hidden features change nothing', async (t) => {
  const setting = { ...JOINT_SETTING, size: 'small' as const, epochs: 1, crop: 32 };
  const [training, validation, test] = [SET.select((_) => true), SET, SET].map((set, i) => {
    const own = [['patient 0', 'patient 1'], ['patient 2'], ['patient 3']][i] as string[];
    return set.select(({ patient }) => own.includes(patient));
  }) as [JointDataset, JointDataset, JointDataset];
  const parts = { training, validation, test };
  const hidden = VARIANTS.find(({ name }) => name === IMAGE_ALONE) as JointVariant;
  const result = await jointJob(parts, hidden, setting, 1);
  t.equal(Buffer.from(result.logits, 'base64').length, 4 * 2 * pointsOf(test).truth.length);
  t.same(
    result.regions.map(({ name }) => name),
    test.samples.map(({ name }) => name),
  );
  t.ok((result.parameters ?? 0) > 1000 && result.shape === '32 x 2' && result.trainingPoints === 32);
  const other = new JointDataset(
    test.samples.map((sample) => ({
      ...sample,
      table: {
        ...sample.table,
        columns: sample.table.columns.map(({ name, data }) => ({ name, data: Float64Array.from(data, (x) => 9 - x) })),
      },
    })),
    SET.classes,
    SET.regions,
    SET.mpp,
  );
  const again = await jointJob({ ...parts, test: other }, hidden, setting, 1);
  t.equal(again.logits, result.logits, 'another test table, the same answers');
  const columns = withoutFeatures(test).samples.flatMap(({ table }) => table.columns);
  t.ok(columns.length > 0 && columns.every(({ data }) => Array.from(data).every(Number.isNaN)));
});
