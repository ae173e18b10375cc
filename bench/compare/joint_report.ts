// The store of joint trainings as tables: what is there is told, and what is missing is named.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../src/files/write_whole.js';
import type { CellDataset } from '../../src/train/dataset.js';
import { assemble, resultsOf } from './assemble.js';
import type { Contestant } from './contestants.js';
import { type Budget, FIRST_SEED, type Job } from './jobs.js';
import { jointData } from './joint_data.js';
import { jointGoals } from './joint_goals.js';
import { type JointResult, jointSettingOf } from './joint_job.js';
import { type RegionSummary, regionsText, summariseRegions } from './joint_regions.js';
import { ALONE, JOINT_STUDY, type JointSetting, type JointVariant, REGION_NOTE } from './joint_study.js';
import { writeReport } from './report_command.js';
import { studyText } from './results_tables.js';
import { Store } from './store.js';
import { type Summary, summarise } from './summary.js';
import type { Log, Places } from './tasks.js';

/** What a run was asked for: the report asks for the same. */
export interface JointPlan {
  budget: Budget;
  setting: JointSetting;
}

const planFile = ({ store }: Places) => join(store, 'results', JOINT_STUDY.name, 'plan.json');

async function storedPlan(places: Places): Promise<JointPlan | undefined> {
  const text = await readFile(planFile(places), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as JointPlan);
}

/** Keeps what is asked for, for the report; a run that asks for a part of what one of the same settings asked for takes nothing back. */
export async function keepJointPlan(places: Places, { budget, setting }: JointPlan): Promise<void> {
  const known = await storedPlan(places);
  const same = known && known.budget.folds === budget.folds && JSON.stringify(known.setting) === JSON.stringify(setting);
  const most = (name: 'tested' | 'seeds') => (same ? Math.max(known.budget[name], budget[name]) : budget[name]);
  const plan: JointPlan = { budget: { ...budget, tested: most('tested'), seeds: most('seeds') }, setting };
  await writeWhole(planFile(places), [Buffer.from(JSON.stringify(plan))]);
}

type Found = (variant: JointVariant, fold: number, seed: number) => JointResult | undefined;

const sequence = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i);

async function storedResults({ budget, setting }: JointPlan, { store: folder }: Places): Promise<Found> {
  const store = new Store<JointResult>(folder);
  const found = new Map<string, JointResult>();
  for (const variant of JOINT_STUDY.contestants) {
    for (const fold of sequence(budget.tested)) {
      for (const seed of sequence(budget.seeds, FIRST_SEED)) {
        const job: Job = { study: JOINT_STUDY.name, contestant: variant.name, fold, trial: 0, seed };
        const result = await store.read(job, jointSettingOf({ setting, folds: budget.folds }, variant));
        if (result?.macroF1 !== undefined) found.set(JSON.stringify([variant.name, fold, seed]), result);
      }
    }
  }
  return ({ name }, fold, seed) => found.get(JSON.stringify([name, fold, seed]));
}

/** The variants, folds and seeds of which everything is there: folds from the first on, and seeds from the first on. */
export function comparable(variants: readonly JointVariant[], { tested, seeds }: Budget, found: Found) {
  const present = variants.filter((variant) => found(variant, 0, FIRST_SEED));
  const whole = (fold: number, seed: number) => present.every((variant) => found(variant, fold, seed));
  const leading = (list: readonly number[], good: (one: number) => boolean) => {
    const end = list.findIndex((one) => !good(one));
    return end < 0 ? list : list.slice(0, end);
  };
  const folds = present.length > 0 ? leading(sequence(tested), (fold) => whole(fold, FIRST_SEED)) : [];
  const complete = leading(sequence(seeds, FIRST_SEED), (seed) => folds.every((fold) => whole(fold, seed)));
  return { variants: present, tested: folds.length, seeds: complete.length };
}

/** What is still to be trained, by variant; undefined where nothing is. */
export function missingText(variants: readonly JointVariant[], { tested, seeds }: Budget, found: Found): string | undefined {
  const parts = variants.flatMap((variant) => {
    const open = sequence(seeds, FIRST_SEED).flatMap((seed) => {
      const folds = sequence(tested).filter((fold) => !found(variant, fold, seed));
      if (folds.length === 0) return [];
      return [folds.length === tested ? `seed ${seed}` : `seed ${seed} in fold${folds.length > 1 ? 's' : ''} ${folds.join(', ')}`];
    });
    if (open.length === 0) return [];
    return [`${variant.name}: ${open.length === seeds && open.every((text) => !text.includes('fold')) ? 'everything' : open.join('; ')}`];
  });
  return parts.length > 0
    ? `**Not trained yet** (left out, as are folds and seeds that not all variants have): ${parts.join('. ')}.`
    : undefined;
}

const settingText = ({ size, encoder, epochs, batch, crop, learningRate, uncertainty }: JointSetting): string =>
  `Backbone ${size === 'small' ? '32 x 2 (that of the cells alone)' : size}, encoder ${encoder}, up to ${epochs} epochs of windows of ${crop} px, ` +
  `${batch} per step, learning rate ${learningRate}${uncertainty ? ', task weights learned' : ''}.`;

export interface JointNumbers {
  plan: JointPlan;
  missing: string | undefined;
  cells: Summary;
  regions: RegionSummary | undefined;
}

export interface JointBlocks {
  text: string;
  goals: string;
  numbers: JointNumbers;
}

/** Tables from what is stored; undefined where no variant has been through a fold. */
async function jointReport(places: Places, resamples: number, log: Log): Promise<JointBlocks | undefined> {
  const plan = await storedPlan(places);
  if (!plan) return undefined;
  return jointBlocks(plan, await storedResults(plan, places), () => jointData(places, log), { resamples, log });
}

/** The tables into docs/results.md, and the numbers into bench/results/compare_joint.json. */
export async function writeJointReport(places: Places, { root, resamples }: { root: string; resamples: number }, log: Log): Promise<void> {
  const found = await jointReport(places, resamples, log);
  if (!found) return log(`${JOINT_STUDY.name}: nothing that is complete`);
  const { text, goals, numbers } = found;
  const blocks = [['joint_goals', goals] as const, [JOINT_STUDY.name, text] as const];
  await writeReport(root, { blocks, file: 'compare_joint.json', numbers: { ...numbers } }, log);
}

export async function jointBlocks(
  plan: JointPlan,
  found: Found,
  data: () => Promise<CellDataset>,
  { resamples, log }: { resamples: number; log: Log },
): Promise<JointBlocks | undefined> {
  const { variants, tested, seeds } = comparable(JOINT_STUDY.contestants, plan.budget, found);
  if (tested === 0) return undefined;
  const study = { ...JOINT_STUDY, contestants: variants };
  const budget = { ...plan.budget, trials: 1, tested, seeds };
  const results = await resultsOf(study, budget, async ({ fold, seed }, contestant) => found(contestant as JointVariant, fold, seed));
  const cells = summarise(study, budget, assemble(study, budget, await data(), results), {
    ...{ positive: 'tumour_epithelial', resamples, log },
  }) as Summary;
  const runs = new Map(
    variants.map((variant: Contestant) => [
      variant.name,
      sequence(seeds, FIRST_SEED).map((seed) =>
        sequence(tested).flatMap((fold) => found(variant as JointVariant, fold, seed)?.regions ?? []),
      ),
    ]),
  );
  const regions = summariseRegions(runs, { region: 'tumour', alone: ALONE, resamples });
  const missing = missingText(JOINT_STUDY.contestants, plan.budget, found);
  const parts = [missing, settingText(plan.setting), studyText(cells), regions && regionsText(regions, REGION_NOTE)];
  return {
    text: parts.filter((part) => part !== undefined).join('\n\n'),
    goals: jointGoals(cells, regions),
    numbers: { plan, missing, cells, regions },
  };
}
