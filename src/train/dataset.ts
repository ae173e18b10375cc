import { mismatch, UamError } from '../errors.js';
import type { FeatureTable } from '../radiomics/table.js';
import type { FeatureColumns } from '../tokens/scaling.js';
import { FeatureRows, namesOf } from './feature_rows.js';
import type { ExtractionRecipe } from './recipe.js';

export type Split = 'train' | 'validation' | 'test';

/** What is known of the classes of a tile's cells, as a list: one entry per labelled cell or per expert's point. */
export interface Truth {
  /** The row of the cell; -1 for a point that lies on no cell: nothing can be learned from it, and in evaluation it is an error. */
  cells: Int32Array;
  /** Its class, an index into the names of the dataset. */
  classes: Int32Array;
}

/** The cells of one tile, image or patient. */
export interface CellSample {
  name: string;
  patient: string;
  /** Whether somebody said who the patient is; else the sample is a patient of its own. */
  patientGiven?: boolean;
  split: Split | undefined;
  /** Features, a row per cell. */
  table: FeatureColumns;
  /** `[cells, 2]`: x and y in micrometres; undefined where the places are not known. */
  positions: Float64Array | undefined;
  truth: Truth;
}

/** A class by its name or its index; nothing (null, undefined, -1, '') where it is not known. */
export type ClassLabel = string | number | null | undefined;

/** What a dataset is made from. */
export interface SampleInput {
  /** A `FeatureTable`, or columns of numbers. */
  table: FeatureTable | FeatureColumns;
  /** For messages. Default `sample <i>`. */
  name?: string;
  /** Samples of one patient never lie on both sides of a split. Default: every sample is a patient of its own. */
  patient?: string | undefined;
  split?: Split | undefined;
  /** `[cells, 2]` in micrometres. */
  positions?: Float64Array | undefined;
  /** Micrometres per pixel: gives the positions of a `FeatureTable`, whose centroids are in pixels. */
  mpp?: number | readonly [x: number, y: number] | undefined;
  /** One class per cell ... */
  classes?: ArrayLike<ClassLabel> | undefined;
  /** ... or expert's points: the row of the cell under each (-1: none), and its class. */
  points?: { cells: ArrayLike<number>; classes: ArrayLike<ClassLabel> } | undefined;
}

export interface DatasetOptions {
  /** Names of the classes, in the order of the logits. Default: those that occur, sorted. */
  classes?: readonly string[] | undefined;
  /** How the features were extracted, so that a model can do it again. */
  extraction?: ExtractionRecipe | undefined;
}

const isNothing = (label: ClassLabel): boolean => label === null || label === undefined || label === '' || label === -1;

/** Names for the classes where none are given: the texts that occur, or `class 0`, `class 1` ... for numbers. */
function namesIn(samples: readonly SampleInput[]): string[] {
  const texts = new Set<string>();
  let highest = -1;
  for (const { classes, points } of samples) {
    for (const label of [classes, points?.classes].flatMap((list) => (list ? Array.from(list) : []))) {
      if (isNothing(label)) continue;
      if (typeof label === 'string') texts.add(label);
      else highest = Math.max(highest, label as number);
    }
  }
  if (texts.size > 0) return [...texts].sort();
  if (highest > 10_000) throw new UamError('UAM_DATA', `dataset: a class is ${highest}: classes count from 0`);
  return Array.from({ length: highest + 1 }, (_, c) => `class ${c}`);
}

function indexOf(label: ClassLabel, names: readonly string[], where: string): number {
  if (isNothing(label)) return -1;
  const index = typeof label === 'string' ? names.indexOf(label) : (label as number);
  if (Number.isInteger(index) && index >= 0 && index < names.length) return index;
  throw new UamError('UAM_DATA', `${where}: there is no class '${String(label)}'; the classes are ${names.join(', ')}`);
}

function truthOf({ classes, points }: SampleInput, cells: number, names: readonly string[], where: string): Truth {
  if (classes && points) throw new UamError('UAM_ARGUMENT', `${where}: give classes or points, not both`);
  const labels = Array.from(classes ?? points?.classes ?? [], (label) => indexOf(label, names, where));
  if (classes && labels.length !== cells) throw mismatch('UAM_SHAPE', `${where}: classes`, `one per cell (${cells})`, `${labels.length}`);
  const rows = points ? Array.from(points.cells) : labels.map((_, row) => row);
  if (rows.length !== labels.length) {
    throw mismatch('UAM_SHAPE', `${where}: points`, 'as many classes as cells', `${labels.length} and ${rows.length}`);
  }
  const strange = rows.find((row) => !(Number.isInteger(row) && row >= -1 && row < cells));
  if (strange !== undefined) throw mismatch('UAM_DATA', `${where}: the cell of a point`, `from -1 to ${cells - 1}`, String(strange));
  const known = labels.flatMap((label, i) => (label >= 0 ? [i] : []));
  return {
    cells: Int32Array.from(known, (i) => rows[i] as number),
    classes: Int32Array.from(known, (i) => labels[i] as number),
  };
}

/** Centroids in micrometres. */
export function positionsOf(centroids: Float64Array, mpp: number | readonly [x: number, y: number], where: string): Float64Array {
  const [x, y] = typeof mpp === 'number' ? [mpp, mpp] : mpp;
  for (const size of [x, y]) if (!(size > 0 && size < 1e6)) throw mismatch('UAM_ARGUMENT', `${where}: mpp`, 'above 0', String(size));
  return centroids.map((value, i) => value * (i % 2 === 0 ? x : y));
}

function placesOf({ table, positions, mpp }: SampleInput, where: string): Float64Array | undefined {
  const found = positions ?? ('centroids' in table && mpp !== undefined ? positionsOf(table.centroids, mpp, where) : undefined);
  if (found && found.length !== 2 * table.length) {
    throw mismatch('UAM_SHAPE', `${where}: positions`, `x and y of ${table.length} cells`, `${found.length} numbers`);
  }
  return found;
}

/**
 * Cells with their features, places and classes: what a model learns from and is measured on. Nothing is copied; scaling and order are
 * the model's business.
 *
 * @example
 * const table = { length: 4, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9, 8] }] };
 * const dataset = CellDataset.from([{ table, patient: 'A', classes: ['stroma', 'stroma', 'tumour', null] }]);
 * dataset.classes;    // ['stroma', 'tumour']
 * dataset.counts();   // [2, 1]
 */
export class CellDataset {
  readonly samples: readonly CellSample[];
  readonly classes: readonly string[];
  readonly extraction: ExtractionRecipe | undefined;

  /** @param samples checked ones: see `CellDataset.from` */
  constructor(samples: readonly CellSample[], classes: readonly string[], extraction?: ExtractionRecipe) {
    this.samples = samples;
    this.classes = classes;
    this.extraction = extraction;
  }

  /**
   * @throws UamError `UAM_SHAPE` where lengths differ, `UAM_DATA` for unknown classes and cells, and where samples have other features
   */
  static from(inputs: readonly SampleInput[], options: DatasetOptions = {}): CellDataset {
    const names = [...(options.classes ?? namesIn(inputs))];
    if (new Set(names).size !== names.length) throw new UamError('UAM_ARGUMENT', `dataset: a class is named twice: ${names.join(', ')}`);
    const samples = inputs.map((input, i): CellSample => {
      const name = input.name ?? `sample ${i}`;
      const { table, patient = name, split } = input;
      const who = { name, patient, patientGiven: input.patient !== undefined, split };
      return { ...who, table, positions: placesOf(input, name), truth: truthOf(input, table.length, names, name) };
    });
    refuseOtherFeatures(samples);
    return new CellDataset(samples, names, options.extraction);
  }

  /** Names of the features, in the order of the first sample. */
  get features(): string[] {
    return this.samples[0] ? [...namesOf(this.samples[0].table)] : [];
  }

  /** How many cells there are. */
  get cells(): number {
    return this.samples.reduce((sum, { table }) => sum + table.length, 0);
  }

  /** The patients, in the order of the samples. */
  get patients(): string[] {
    return [...new Set(this.samples.map(({ patient }) => patient))];
  }

  /** Labels per class; points on no cell count. */
  counts(): number[] {
    const counts = this.classes.map(() => 0);
    for (const { truth } of this.samples) for (const label of truth.classes) counts[label]! += 1;
    return counts;
  }

  /** The samples for which `keep` says so; they are shared, not copied. */
  select(keep: (sample: CellSample) => boolean): CellDataset {
    return new CellDataset(this.samples.filter(keep), this.classes, this.extraction);
  }
}

function refuseOtherFeatures(samples: readonly CellSample[]): void {
  const [first] = samples;
  if (!first) return;
  const known = namesOf(first.table);
  const names = new Set(known);
  for (const { name, table } of samples) {
    const own = namesOf(table);
    if (own === known) continue; // of one origin
    const other = own.find((feature) => !names.has(feature));
    if (other !== undefined) throw new UamError('UAM_DATA', `${name}: it has the feature ${other}, which ${first.name} has not`);
    if (own.length !== names.size)
      throw mismatch('UAM_DATA', `${name}: its features`, `those of ${first.name} (${names.size})`, `${own.length}`);
    if (table instanceof FeatureRows) continue; // whose columns are never of another length, and are gathered when they are read
    const short = table.columns.find(({ data }) => data.length !== table.length);
    if (short) throw mismatch('UAM_SHAPE', `${name}: column ${short.name}`, `of ${table.length} values`, `${short.data.length}`);
  }
}
