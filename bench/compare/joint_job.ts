// One training and one test of a variant.
import { performance } from 'node:perf_hooks';
import { type JointConfig, jointParameterCount } from '../../src/heads/joint_config.js';
import { JointDataset, type JointSample } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import type { ScoredImage } from '../../src/train/region_scores.js';
import { testJointModel } from '../../src/train/test_joint_model.js';
import { shapeOf } from './contestants.js';
import { foldsOf, type Parts } from './folds.js';
import type { Job, Outcome } from './jobs.js';
import { jointData } from './joint_data.js';
import { backboneOf, type JointSetting, type JointVariant, VARIANTS } from './joint_study.js';
import { encodeNumbers, type Result, Store } from './store.js';
import { type Places, TASKS } from './tasks.js';

export interface JointResult extends Result {
  /** Counts of each test image: in all runs of a fold the same images in the same order. */
  regions: ScoredImage[];
  /** Of the regions on the fold's validation patients, in the epoch that was kept. */
  dice?: number | undefined;
}

export interface JointSetup {
  places: Places;
  /** Parts that the patients are cut into. */
  folds: number;
  setting: JointSetting;
}

/** All that a result depends on, beside what the job's name says. */
export function jointSettingOf(
  { setting, folds }: Pick<JointSetup, 'setting' | 'folds'>,
  { name: _, uam: _uam, ...variant }: JointVariant,
): string {
  return JSON.stringify([setting, variant, folds, TASKS.find(({ name }) => name === 'brca_m2c')?.key]);
}

export const variantNamed = (name: string): JointVariant => VARIANTS.find((one) => one.name === name) as JointVariant;

/** The cells of a dataset without their features: each value is missing. */
export function withoutFeatures({ samples, classes, regions, mpp, extraction }: JointDataset): JointDataset {
  const hidden = samples.map(({ table, ...sample }): JointSample => {
    const nothing = new Float64Array(table.length).fill(Number.NaN);
    return { ...sample, table: { length: table.length, columns: table.columns.map(({ name }) => ({ name, data: nothing })) } };
  });
  return new JointDataset(hidden, classes, regions, mpp, extraction);
}

/** Learns from a fold's training patients, and tests those that it has not seen. */
export async function jointJob(
  { training, validation, test }: Parts<JointDataset>,
  { fusion, hidden }: JointVariant,
  setting: JointSetting,
  seed: number,
): Promise<Omit<JointResult, 'setting'>> {
  const { size: _, encoder, uncertainty, ...fit } = setting;
  const model = JointUAM.create({ ...backboneOf(setting), encoder, uncertainty, fusion, seed });
  const seen = (part: JointDataset) => (hidden ? withoutFeatures(part) : part);
  const started = process.cpuUsage();
  const { history, bestEpoch, temperature, features } = await model.fit(training, {
    ...fit,
    recompute: false, // windows are small: memory is not short
    validation: seen(validation),
    // Features are scaled as ever, so that the model is the same, and then hidden in each step.
    ...(hidden && { augment: { hide: 1 } }),
  });
  const { user, system } = process.cpuUsage(started);
  // Tables without values are all alike, so that tiles would be taken for each other; that no patient is on two sides was seen to.
  const { points, regions } = await testJointModel(model, seen(test), { seenAllowed: hidden === true });
  if (!points) throw new Error('no cell of the test patients has a label');
  const config = model.config as JointConfig;
  return {
    ...{ macroF1: history[bestEpoch]?.macroF1 ?? 0, dice: history[bestEpoch]?.dice, epochs: history.length, temperature, features },
    ...{ parameters: jointParameterCount(config).total, shape: config.cells && shapeOf(config.cells), seconds: (user + system) / 1e6 },
    trainingPoints: training.samples.reduce((sum, { truth }) => sum + truth.cells.filter((cell) => cell >= 0).length, 0),
    logits: encodeNumbers(Float32Array.from(points.probabilities, (p) => Math.log(Math.max(p, 1e-30)))),
    regions,
  };
}

/** Does jobs in this process, on data that are read once. */
export class JointRunner {
  readonly #store: Store<JointResult>;
  #parts: Promise<Parts<JointDataset>[]> | undefined;

  constructor(readonly setup: JointSetup) {
    this.#store = new Store(setup.places.store);
  }

  /** Does a job and stores what came of it; a training that leaves the finite numbers is a result too. */
  async run(job: Job): Promise<Outcome & { failed?: string; seconds: number }> {
    const { places, folds, setting } = this.setup;
    const variant = variantNamed(job.contestant);
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const store = (result: Omit<JointResult, 'setting'>) =>
      this.#store.write(job, { ...result, setting: jointSettingOf(this.setup, variant) });
    try {
      this.#parts ??= jointData(places, () => {}).then((dataset) => foldsOf(dataset, folds));
      const parts = (await this.#parts)[job.fold] as Parts<JointDataset>;
      const result = await jointJob(parts, variant, setting, job.seed);
      await store(result);
      return { macroF1: result.macroF1, seconds: seconds() };
    } catch (error) {
      const failed = (error as Error).message;
      // Only what the model brought about is kept: what the machine lacks may be there at the next attempt.
      if (/not finite|NaN/.test(failed)) {
        await store({ failed, temperature: 1, logits: '', seconds: seconds(), features: 0, trainingPoints: 0, regions: [] });
      }
      return { macroF1: undefined, failed, seconds: seconds() };
    }
  }
}
