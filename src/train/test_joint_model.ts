import { mismatch, UamError } from '../errors.js';
import { atTemperature } from './evaluate.js';
import type { JointDataset, JointSample } from './joint_dataset.js';
import type { JointAnswer, JointUAM } from './joint_uam.js';
import { type RegionCountOptions, regionCounts } from './region_counts.js';
import type { ScoredImage } from './region_scores.js';
import { refuseSeen } from './seen.js';
import type { TestModelOptions } from './test_model.js';
import type { TestedPoints } from './tested_points.js';

export interface TestJointOptions extends TestModelOptions, Pick<RegionCountOptions, 'threshold' | 'tolerance'> {}

/** What a joint model says of tiles, beside what is true of them. */
export interface TestedTiles {
  /** Labelled cells and points, as of `testModel`; undefined where the model tells no cells, or none has a label. */
  points: TestedPoints | undefined;
  /** Each tile with a region mask, counted: for `scoreRegions`. Empty where none has one. */
  regions: ScoredImage[];
}

/**
 * What a joint model says about the labelled cells and the region masks of a dataset, for `evaluate` and `scoreRegions`. Cells are told
 * before the model's temperature is applied (`temperature: model.temperature` does so there); a point on no cell, and a cell beside its
 * image, have no answer and count as errors. Tiles are answered one after the other, and of each only counts are kept.
 *
 * @throws UamError `UAM_DATA` where the model has learned from one of the patients or tiles, where classes, regions or pixel size
 *   differ, where a region mask has no image; as `JointUAM.predict`
 * @example
 * const samples = [0, 1, 2].map((seed) => {
 *   const { image, region } = demoTile({ seed, width: 64, height: 64 });
 *   return { image, region: region.map((value) => (value ? 1 : 0)), patient: `patient ${seed}` };
 * });
 * const model = JointUAM.create({ task: 'region', encoder: { channels: [8, 8, 8, 8], depths: [1, 1, 1, 1] } });
 * await model.fit(JointDataset.of(samples.slice(0, 2), { mpp: 0.5 }), { epochs: 1, validation: 0 });
 * const { regions } = await testJointModel(model, JointDataset.of(samples.slice(2), { mpp: 0.5 }));
 * const { kinds } = await scoreRegions(regions, { resamples: 50 });   // kinds[0].pooled.dice, ...
 */
export async function testJointModel(model: JointUAM, dataset: JointDataset, options: TestJointOptions = {}): Promise<TestedTiles> {
  const { signal, onProgress, seenAllowed = false, ...counting } = options;
  refuseOther(model, dataset);
  if (!seenAllowed) refuseSeen((await model.seenIn(dataset, signal)) ?? []);
  const width = model.classes.length;
  const points = new PointsTold(dataset, width);
  const regions: ScoredImage[] = [];
  let done = 0;
  for (const sample of dataset.samples) {
    const answer = await model.predict(sample, signal ? { signal } : {});
    if (width > 0) points.add(sample, answer);
    if (sample.region) regions.push(await countedImage(sample, answer, dataset, { ...counting, signal }));
    done++;
    onProgress?.({ phase: 'predict', done, total: dataset.samples.length });
  }
  return { points: points.told(model), regions };
}

function refuseOther(model: JointUAM, dataset: JointDataset): void {
  const differ = (what: string, own: readonly string[], theirs: readonly string[]) => {
    throw new UamError(
      'UAM_DATA',
      `the model's ${what} are ${own.join(', ')}, those of the tested tiles ${theirs.join(', ') || 'none'}; read them with the model's ${what}`,
    );
  };
  const labelled = dataset.samples.some(({ truth }) => truth.cells.length > 0);
  if (labelled && model.classes.length > 0 && String(model.classes) !== String(dataset.classes)) {
    differ('classes', model.classes, dataset.classes);
  }
  if (String(model.regions) !== String(dataset.regions)) differ('regions', model.regions, dataset.regions);
  const { mpp = dataset.mpp } = model;
  if (Math.abs(mpp / dataset.mpp - 1) > 0.05) {
    throw mismatch(
      'UAM_DATA',
      'the pixel size of the tested tiles',
      `the model's ${mpp} um`,
      `${dataset.mpp} um`,
      'read them at that size',
    );
  }
}

async function countedImage(
  { name, patient, image, region }: JointSample,
  { regions: called }: JointAnswer,
  { mpp, regions }: JointDataset,
  counting: Pick<RegionCountOptions, 'threshold' | 'tolerance' | 'signal'>,
): Promise<ScoredImage> {
  if (!image || !called) throw new UamError('UAM_DATA', `${name} has a region mask, and no image that the model could tell regions of`);
  const { width, height } = image;
  const counts = await regionCounts(called, region as Uint8Array, { width, height, mpp, kinds: regions.length, ...counting });
  return { name, patient, counts };
}

/** The answers at the labelled points of all tiles. */
class PointsTold {
  readonly #truth: Int32Array;
  readonly #probabilities: Float32Array;
  readonly #patients: string[] = [];

  constructor(
    dataset: JointDataset,
    private readonly width: number,
  ) {
    const count = dataset.samples.reduce((sum, { truth }) => sum + truth.cells.length, 0);
    this.#truth = new Int32Array(count);
    this.#probabilities = new Float32Array(count * width).fill(Number.NaN);
  }

  add({ truth, patient }: JointSample, { probabilities }: JointAnswer): void {
    const { width } = this;
    const first = this.#patients.length;
    this.#truth.set(truth.classes, first);
    truth.cells.forEach((cell, i) => {
      if (cell >= 0) this.#probabilities.set(probabilities.subarray(cell * width, (cell + 1) * width), (first + i) * width);
      this.#patients.push(patient);
    });
  }

  told({ classes, temperature }: JointUAM): TestedPoints | undefined {
    if (this.#patients.length === 0) return undefined;
    const points = { truth: this.#truth, probabilities: this.#probabilities, patients: this.#patients };
    return atTemperature({ classes: [...classes], ...points }, 1 / temperature);
  }
}
