import { UamError } from '../../src/errors.js';
import type { CellDataset, CellSample } from '../../src/train/dataset.js';
import { checkLeakage, groupedFolds } from '../../src/train/split.js';

/** The parts of one fold; no patient is in two of them. */
export interface Parts<D extends CellDataset = CellDataset> {
  training: D;
  validation: D;
  test: D;
}

/** The labelled points of a dataset, in the order of its samples. */
export interface Points {
  patients: string[];
  truth: Int32Array;
}

export function pointsOf({ samples }: CellDataset): Points {
  return {
    patients: samples.flatMap(({ patient, truth }) => Array.from(truth.classes, () => patient)),
    truth: Int32Array.from(samples.flatMap(({ truth }) => [...truth.classes])),
  };
}

/**
 * Stratified folds by patient: each patient is tested in one fold; of the others a share stops the training, chooses among the trials
 * and sets the temperature, and the rest is learned from.
 *
 * @throws UamError `UAM_DATA` where a patient with cells would be in no part, or in two
 */
export function foldsOf<D extends CellDataset>(dataset: D, folds: number): Parts<D>[] {
  const { patients, truth } = pointsOf(dataset);
  return groupedFolds({ patients, classes: truth }, folds).map(({ train, validation, test }) => {
    const [training, held, tested] = [train, validation, test].map((part) => {
      const own = new Set(Array.from(part, (i) => patients[i] as string));
      return dataset.select(({ patient }) => own.has(patient));
    }) as [D, D, D]; // a dataset selects one of its own kind
    const parts = { training, validation: held, test: tested };
    checkLeakage(Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.patients])));
    return parts;
  });
}

/** Where the points of a part stand among those of the whole dataset. */
export function placesOf(dataset: CellDataset, part: CellDataset): Int32Array {
  const first = new Map<CellSample, number>();
  let count = 0;
  for (const sample of dataset.samples) {
    first.set(sample, count);
    count += sample.truth.classes.length;
  }
  return Int32Array.from(
    part.samples.flatMap((sample) => {
      const start = first.get(sample);
      if (start === undefined) throw new UamError('UAM_DATA', `${sample.name} is no sample of the dataset`);
      return Array.from(sample.truth.classes, (_, i) => start + i);
    }),
  );
}
