import { UamError } from '../errors.js';
import type { CellDataset } from './dataset.js';
import { atTemperature } from './evaluate.js';
import type { FitProgress } from './fit_options.js';
import { refuseSeen } from './seen.js';
import type { TestedPoints } from './tested_points.js';
import type { UAM } from './uam.js';

export interface TestModelOptions {
  /** Whether patients that chose the model's epoch and temperature may be among them: for a temperature fitted anew. Default false. */
  seenAllowed?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called after each sample, with how many cells are done. */
  onProgress?: ((progress: FitProgress) => void) | undefined;
}

/**
 * What a model says about the labelled cells and points of a dataset, for `evaluate`: before its temperature is applied
 * (`temperature: model.temperature` does so there). A point on no cell has no answer, and counts as an error.
 *
 * @throws UamError `UAM_DATA` where the model has learned from one of the patients or tiles, where classes differ, where features are
 *   absent; as `UAM.predict`
 * @example
 * const table = { length: 2, columns: [{ name: 'glcm_Contrast', data: [1, 9] }] };
 * const samples = ['A', 'B', 'C', 'D'].map((patient) => ({ table, patient, classes: [0, 1] }));
 * const model = UAM.create({ width: 8, depth: 1, heads: 2, state: 4, ffn: 8, tokens: 'vector' });
 * await model.fit(CellDataset.from(samples.slice(0, 3)), { epochs: 1, validation: 0 });
 * const other = { length: 2, columns: [{ name: 'glcm_Contrast', data: [2, 8] }] };
 * const points = await testModel(model, CellDataset.from([{ table: other, patient: 'D', classes: [0, 1] }]));
 * const { scores } = await evaluate(points, { temperature: model.temperature, resamples: 50 });
 */
export async function testModel(model: UAM, dataset: CellDataset, options: TestModelOptions = {}): Promise<TestedPoints> {
  const { signal, onProgress, seenAllowed = false } = options;
  if (String(model.classes) !== String(dataset.classes)) {
    throw new UamError(
      'UAM_DATA',
      `the model's classes are ${model.classes.join(', ')}, those of the tested cells ${dataset.classes.join(', ')}; read them with the model's classes`,
    );
  }
  if (!seenAllowed) refuseSeen((await model.seenIn(dataset, signal)) ?? []);
  const width = model.classes.length;
  const count = dataset.samples.reduce((sum, { truth }) => sum + truth.cells.length, 0);
  const points = {
    truth: new Int32Array(count),
    probabilities: new Float32Array(count * width).fill(Number.NaN),
    patients: [] as string[],
  };
  let done = 0;
  for (const { table, positions, truth, patient } of dataset.samples) {
    const { probabilities } = await model.predict({ table, positions }, { embeddings: false, ...(signal && { signal }) });
    const first = points.patients.length;
    points.truth.set(truth.classes, first);
    truth.cells.forEach((cell, i) => {
      if (cell >= 0) points.probabilities.set(probabilities.subarray(cell * width, (cell + 1) * width), (first + i) * width);
      points.patients.push(patient);
    });
    done += table.length;
    onProgress?.({ phase: 'predict', done, total: dataset.cells });
  }
  return atTemperature({ classes: [...model.classes], ...points }, 1 / model.temperature);
}
