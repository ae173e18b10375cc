// Datasets as files, so that features are extracted once: a JSON line of names, places and truth, then the numbers.
import { readFile } from 'node:fs/promises';
import { writeWhole } from '../../src/files/write_whole.js';
import { CellDataset, type Split } from '../../src/train/dataset.js';
import type { ExtractionRecipe } from '../../src/train/recipe.js';

interface StoredSample {
  name: string;
  patient: string;
  split: Split | null;
  cells: number;
  places: boolean;
  truthCells: number[];
  truthClasses: number[];
}

interface StoredHead {
  key: string;
  classes: readonly string[];
  extraction: ExtractionRecipe | null;
  features: string[];
  samples: StoredSample[];
}

const bytesOf = (numbers: Float64Array): Uint8Array => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

/** Writes a dataset; `key` tells what it was made from. */
export async function storeDataset(path: string, key: string, dataset: CellDataset): Promise<void> {
  const head: StoredHead = {
    key,
    classes: dataset.classes,
    extraction: dataset.extraction ?? null,
    features: dataset.features,
    samples: dataset.samples.map(({ name, patient, split, table, positions, truth }) => ({
      ...{ name, patient, split: split ?? null, cells: table.length, places: positions !== undefined },
      ...{ truthCells: [...truth.cells], truthClasses: [...truth.classes] },
    })),
  };
  const parts: Uint8Array[] = [Buffer.from(`${JSON.stringify(head)}\n`)];
  for (const { table, positions } of dataset.samples) {
    const columns = new Map(table.columns.map((column) => [column.name, column.data]));
    for (const name of head.features) parts.push(bytesOf(Float64Array.from(columns.get(name) as ArrayLike<number>)));
    if (positions) parts.push(bytesOf(positions));
  }
  await writeWhole(path, parts);
}

/** The dataset that was stored under this key; undefined where there is none, or one of another key. */
export async function storedDataset(path: string, key: string): Promise<CellDataset | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  const end = bytes?.indexOf('\n') ?? -1;
  if (!bytes || end < 0) return undefined;
  const head = JSON.parse(bytes.toString('utf8', 0, end)) as StoredHead;
  if (head.key !== key) return undefined;
  let at = end + 1;
  const numbers = (count: number) => {
    const part = new Float64Array(count);
    bytesOf(part).set(bytes.subarray(at, at + 8 * count));
    at += 8 * count;
    return part;
  };
  const samples = head.samples.map(({ name, patient, split, cells, places, truthCells, truthClasses }) => {
    const columns = head.features.map((feature) => ({ name: feature, data: numbers(cells) }));
    const positions = places ? numbers(2 * cells) : undefined;
    const points = { cells: truthCells, classes: truthClasses };
    return { name, patient, split: split ?? undefined, table: { length: cells, columns }, positions, points };
  });
  return CellDataset.from(samples, { classes: head.classes, extraction: head.extraction ?? undefined });
}
