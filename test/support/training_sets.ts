// Small datasets that can be learned, for the tests of src/train.
import { CellDataset, type SampleInput } from '../../src/train/dataset.js';
import { uniform } from './random.js';

export interface SetOptions {
  tiles?: number;
  cells?: number;
  features?: number;
  seed?: number;
  classes?: readonly string[];
}

/** Cells at random places; the class follows from the first features, with some noise; a few values are missing. */
export function tilesOfCells({
  tiles = 6,
  cells = 20,
  features = 5,
  seed = 1,
  classes = ['stroma', 'tumour'],
}: SetOptions = {}): SampleInput[] {
  const next = uniform(seed);
  return Array.from({ length: tiles }, (_, tile) => {
    const data = Array.from({ length: features }, () => Float64Array.from({ length: cells }, () => next() * 10));
    const labels = Array.from({ length: cells }, (_, i) => {
      const value = (data[0]?.[i] as number) + 0.5 * (data[1]?.[i] as number);
      return classes[Math.min(classes.length - 1, Math.floor((value / 15) * classes.length))] as string;
    });
    data.at(-1)?.forEach((_, i, column) => {
      if (next() < 0.05) column[i] = Number.NaN;
    });
    return {
      name: `tile ${tile}`,
      patient: `patient ${tile >> 1}`,
      table: { length: cells, columns: data.map((column, f) => ({ name: `glcm_F${f}`, data: column })) },
      positions: Float64Array.from({ length: 2 * cells }, () => 200 * next()),
      classes: labels,
    };
  });
}

export const smallSet = (options: SetOptions = {}): CellDataset => CellDataset.from(tilesOfCells(options));

/** A model that trains in a second. */
export const LITTLE = Object.freeze({ width: 16, depth: 2, heads: 2, state: 4, ffn: 24, expertFfn: 8 });
