// Who is learned from, and who decides when to stop.
import { mismatch, UamError } from '../errors.js';
import { randomUniform } from '../ops/random.js';
import type { CellDataset, CellSample } from './dataset.js';

/** A stream that neither models nor training use. */
const HOLD_OUT_STREAM = 0xc0000000;

/** Patients whose share of all patients is `share`, drawn by the seed; at least one, and never all. */
function drawnPatients(patients: readonly string[], share: number, seed: number): Set<string> {
  const numbers = randomUniform([patients.length], { seed, step: 0, stream: HOLD_OUT_STREAM });
  const keys = [...numbers.data];
  numbers.dispose();
  const sorted = [...patients].sort();
  const order = sorted.map((_, i) => i).sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
  const count = Math.min(patients.length - 1, Math.max(1, Math.round(share * patients.length)));
  return new Set(order.slice(0, count).map((i) => sorted[i] as string));
}

/**
 * The training and the validation part of a dataset. Samples whose split is `test` are in neither.
 *
 * @param validation another dataset, a share of the patients, or undefined: see `FitOptions`
 * @throws UamError `UAM_DATA` where a patient would be on both sides, where classes differ, and where no sample is left to learn from
 * @example
 * const table = { length: 2, columns: [{ name: 'glcm_Contrast', data: [1, 2] }] };
 * const samples = ['A', 'B', 'C'].map((patient) => ({ table, patient, classes: [0, 1] }));
 * const { training, validation } = holdOut(CellDataset.from(samples), 0.3, 1);
 * training.patients.length;   // 2
 */
export function holdOut<Dataset extends CellDataset>(
  dataset: Dataset,
  validation: Dataset | number | undefined,
  seed: number,
): { training: Dataset; validation: Dataset | undefined } {
  const select = (of: Dataset, keep: (sample: CellSample) => boolean) => of.select(keep) as Dataset; // of its own kind
  const usable = select(dataset, ({ split }) => split !== 'test');
  if (typeof validation === 'object')
    return apart(
      select(usable, ({ split }) => split !== 'validation'),
      validation,
    );
  if (validation !== undefined && !(validation >= 0 && validation < 1)) {
    throw mismatch('UAM_ARGUMENT', 'fit: validation', 'a dataset, or a share from 0 to below 1', String(validation));
  }
  const chosen = select(usable, ({ split }) => split === 'validation');
  if (validation === undefined && chosen.samples.length > 0)
    return apart(
      select(usable, ({ split }) => split !== 'validation'),
      chosen,
    );
  const share = validation ?? 0.2;
  if (share === 0 || usable.patients.length < 2) return apart(usable, undefined);
  const held = drawnPatients(usable.patients, share, seed);
  return apart(
    select(usable, ({ patient }) => !held.has(patient)),
    select(usable, ({ patient }) => held.has(patient)),
  );
}

function apart<Dataset extends CellDataset>(training: Dataset, validation: Dataset | undefined) {
  if (training.samples.length === 0) throw new UamError('UAM_DATA', 'fit: the training part has no sample');
  if (validation) {
    if (String(training.classes) !== String(validation.classes)) {
      throw mismatch('UAM_DATA', 'fit: the classes of validation', training.classes.join(', '), validation.classes.join(', '));
    }
    const known = new Set(training.patients);
    const both = validation.patients.filter((patient) => known.has(patient));
    if (both.length > 0) {
      throw new UamError(
        'UAM_DATA',
        `fit: ${both.length} patients are in training and in validation: ${both.slice(0, 5).join(', ')}; keep each on one side`,
      );
    }
  }
  return { training, validation };
}

/** @throws UamError `UAM_DATA` where no cell has a class to learn from */
export function refuseUnlabelled(training: CellDataset): void {
  if (training.counts().some((count) => count > 0)) return;
  throw new UamError('UAM_DATA', 'fit: no cell of the training part has a class: give classes or points');
}
