// One fold, ready to learn from: features chosen and scaled on its training patients alone.
import { CellDataset, type CellSample } from '../../src/train/dataset.js';
import { Pace } from '../../src/train/pace.js';
import { type PackedCells, packCells } from '../../src/train/packed_cells.js';
import { dependsOnOrientation } from '../../src/train/recipe.js';
import { seeded } from '../../src/train/seeded.js';
import { scalingOf } from '../../src/train/training_scaling.js';
import { telling } from './feature_choice.js';
import { type Parts, pointsOf } from './folds.js';
import type { Study } from './studies.js';

export type PartName = keyof Parts;

export interface FoldData {
  classes: readonly string[];
  features: number;
  packed: Record<PartName, PackedCells>;
  /** Of each labelled point of a part: the packed row of its cell, -1 for a point on none. */
  rows: Record<PartName, Int32Array>;
  truth: Record<PartName, Int32Array>;
}

/** At most `most` labelled points, drawn so that classes keep their shares. */
function fewer(dataset: CellDataset, most: number, seed: number): CellDataset {
  const { truth } = pointsOf(dataset);
  const random = seeded(seed, 4);
  const kept = new Uint8Array(truth.length);
  for (const c of dataset.classes.keys()) {
    const own = [...truth.keys()].filter((i) => truth[i] === c);
    const chance = new Map(own.map((i) => [i, random()]));
    own.sort((a, b) => (chance.get(a) as number) - (chance.get(b) as number));
    for (const i of own.slice(0, Math.ceil((most * own.length) / truth.length))) kept[i] = 1;
  }
  let at = 0;
  const samples = dataset.samples.map((sample): CellSample => {
    const chosen = [...sample.truth.cells.keys()].filter(() => kept[at++] === 1);
    const pick = (list: Int32Array) => Int32Array.from(chosen, (i) => list[i] as number);
    return { ...sample, truth: { cells: pick(sample.truth.cells), classes: pick(sample.truth.classes) } };
  });
  return new CellDataset(samples, dataset.classes, dataset.extraction);
}

/** The packed row of the cell under each point. */
function rowsOf({ samples }: CellDataset, { source }: PackedCells): Int32Array {
  const rowOf = new Int32Array(source.length);
  source.forEach((cell, row) => {
    rowOf[cell] = row;
  });
  let first = 0;
  return Int32Array.from(
    samples.flatMap(({ table, truth }) => {
      const start = first;
      first += table.length;
      return Array.from(truth.cells, (cell) => (cell < 0 ? -1 : (rowOf[start + cell] as number)));
    }),
  );
}

/** Scales and packs the parts of fold `fold`. */
export async function foldData(parts: Parts, study: Study, fold: number): Promise<FoldData> {
  const pace = new Pace('preparing a fold');
  const some = (part: CellDataset) => (study.points === undefined ? part : fewer(part, study.points, fold));
  const [training, validation] = [some(parts.training), some(parts.validation)];
  // Tiles are turned in training, so what depends on the orientation is kept from all who take part.
  const usable = (name: string) => !dependsOnOrientation(name);
  const chosen = study.features === undefined ? undefined : new Set(telling(training, study.features, usable));
  const scaling = await scalingOf(training, {}, (name) => !usable(name) || (chosen !== undefined && !chosen.has(name)), pace);
  const places = study.tokens.kind === 'cell';
  const own: Parts = { training, validation, test: parts.test };
  const names: PartName[] = ['training', 'validation', 'test'];
  const packs = await Promise.all(names.map((name) => packCells(own[name].samples, scaling, places, pace)));
  const byName = <T>(of: (name: PartName, i: number) => T) =>
    Object.fromEntries(names.map((name, i) => [name, of(name, i)])) as Record<PartName, T>;
  return {
    classes: training.classes,
    features: scaling.names.length,
    packed: byName((_, i) => packs[i] as PackedCells),
    rows: byName((name, i) => rowsOf(own[name], packs[i] as PackedCells)),
    truth: byName((name) => pointsOf(own[name]).truth),
  };
}
