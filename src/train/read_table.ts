import { mismatch, UamError } from '../errors.js';
import { CELL_COLUMNS } from '../radiomics/table_columns.js';
import { splitOf } from './csv_rows.js';
import { CellDataset, positionsOf, type SampleInput } from './dataset.js';
import { type FeatureMatrix, FeatureRows, MatrixBuilder } from './feature_rows.js';
import { Pace } from './pace.js';
import { type Field, tableRows } from './table_rows.js';

export interface ReadTableOptions {
  /** The column of the classes. Default `class`. */
  class?: string;
  /** The column of the patients. Default `patient`; without it every sample is a patient of its own. */
  patient?: string;
  /** The column that tells tiles apart. Default `image`; without it the rows of a patient are one sample, and where there are no patients
   * either, each row is a patient of its own (with `mpp`: all are one field of cells). */
  sample?: string;
  /** Columns that are features. Default: all others that hold numbers. */
  features?: readonly string[];
  /** Names of the classes, in their order. Default: those that occur, sorted. */
  classes?: readonly string[];
  /** Micrometres per pixel: makes places of the columns `x` and `y`, which are in pixels. */
  mpp?: number;
  signal?: AbortSignal;
}

/** What columns that are no features are for. */
type Use = 'class' | 'patient' | 'sample' | 'split' | 'x' | 'y';

/** What is gathered of the rows of one sample, beside their features. */
interface Gathered {
  patient: string;
  split: string;
  rows: number[];
  classes: string[];
  places: number[];
}

/** Columns that are neither features nor of another use here. */
const KNOWN: readonly string[] = Object.freeze([...CELL_COLUMNS, 'split']);

/** Texts that stand for a missing value. */
const MISSING = /^(?:|na|nan|null|none)$/i;

/** A number; undefined where the field is no number, NaN where it is missing. */
function numberOf(field: Field): number | undefined {
  if (typeof field === 'number') return field;
  if (field === undefined || field === null) return Number.NaN;
  const number = Number(field);
  if (field === '' || Number.isNaN(number)) return MISSING.test(String(field)) ? Number.NaN : undefined;
  return number;
}

class TableReader {
  readonly #samples = new Map<string, Gathered>();
  readonly #features: MatrixBuilder;
  /** Names and places of the candidates for features, and whether they have held numbers so far. */
  readonly #candidates: readonly string[];
  readonly #columns: Int32Array;
  readonly #numeric: boolean[];
  /** Places of the columns that are something else; -1 where there is none. */
  readonly #at: Readonly<Record<Use, number>>;

  constructor(
    private readonly path: string,
    header: readonly string[],
    private readonly options: ReadTableOptions,
  ) {
    const { class: label = 'class', patient = 'patient', sample = 'image', features } = options;
    const asked = [options.class, options.patient, options.sample].filter((name) => name !== undefined && name !== '');
    const lacks = [...(features ?? []), ...asked].find((name) => !header.includes(name as string));
    if (lacks !== undefined)
      throw new UamError('UAM_DATA', `${path}: there is no column '${lacks}'; the columns are ${header.slice(0, 20).join(', ')}`);
    const twice = header.find((name, i) => header.indexOf(name) !== i);
    if (twice !== undefined) throw new UamError('UAM_FORMAT', `${path}: two columns are named '${twice}'`);
    const at = (name: string) => header.indexOf(name);
    this.#at = { class: at(label), patient: at(patient), sample: at(sample), split: at('split'), x: at('x'), y: at('y') };
    this.#candidates = features ?? header.filter((name) => ![...KNOWN, label, patient, sample].includes(name));
    this.#columns = Int32Array.from(this.#candidates, at);
    this.#numeric = this.#candidates.map(() => true);
    this.#features = new MatrixBuilder(this.#candidates.length);
  }

  /** Takes in a row of the table; `line` is where it stands, for messages. */
  row(fields: readonly Field[], line: number): void {
    const text = (name: Use) => String(fields[this.#at[name]] ?? '');
    const [patient, place] = [text('patient'), this.options.mpp === undefined ? `line ${line}` : 'all'];
    const gathered = this.#sampleOf(text('sample') || patient || place, patient, text('split'), line);
    gathered.classes.push(text('class'));
    if (this.options.mpp !== undefined) {
      for (const axis of ['x', 'y'] as const)
        gathered.places.push(this.#number(fields[this.#at[axis]], axis, line, 'a number (mpp asks for places)'));
    }
    gathered.rows.push(this.#features.rows);
    const row = this.#features.add();
    for (let f = 0; f < row.length; f++) {
      const field = fields[this.#columns[f] as number];
      const value = numberOf(field);
      if (value === undefined) {
        if (this.options.features) throw this.#noNumber(field, this.#candidates[f] as string, line, 'a number');
        this.#numeric[f] = false;
      }
      row[f] = value ?? Number.NaN;
    }
  }

  #noNumber(field: Field, name: string, line: number, expected: string): UamError {
    return mismatch('UAM_DATA', `${this.path}: line ${line}: ${name}`, expected, `'${field ?? ''}'`);
  }

  #number(field: Field, name: string, line: number, expected: string): number {
    const value = numberOf(field);
    if (value !== undefined && Number.isFinite(value)) return value;
    throw this.#noNumber(field, name, line, expected);
  }

  #sampleOf(name: string, patient: string, split: string, line: number): Gathered {
    const found = this.#samples.get(name);
    if (found) {
      if (found.patient === patient && found.split === split) return found;
      throw new UamError(
        'UAM_DATA',
        `${this.path}: line ${line}: ${name} is of patient '${found.patient}' in one line and of '${patient}' here, or of two splits`,
      );
    }
    const fresh: Gathered = { patient, split, rows: [], classes: [], places: [] };
    this.#samples.set(name, fresh);
    return fresh;
  }

  #matrix(): FeatureMatrix {
    const kept = [...this.#candidates.keys()].filter((f) => this.#numeric[f]);
    return this.#features.finish(
      kept.map((f) => this.#candidates[f] as string),
      Int32Array.from(kept),
    );
  }

  dataset(): CellDataset {
    const { path, options } = this;
    if (this.#samples.size === 0) throw new UamError('UAM_DATA', `${path}: it has no rows`);
    if (!this.#numeric.includes(true)) throw new UamError('UAM_DATA', `${path}: none of its columns holds features: numbers throughout`);
    const matrix = this.#matrix();
    const inputs = [...this.#samples].map(([name, { patient, split, rows, classes, places }]): SampleInput => {
      const positions = options.mpp === undefined ? undefined : positionsOf(Float64Array.from(places), options.mpp, path);
      const table = new FeatureRows(matrix, Int32Array.from(rows));
      return { ...{ name, patient: patient || undefined, table, positions, classes }, split: splitOf(split, `${path}: ${name}`) };
    });
    return CellDataset.from(inputs, { classes: options.classes });
  }
}

/**
 * Reads a table of features with classes, a row per cell, such as `uam features` writes, or any other: CSV or TSV (also `.gz`), or
 * Parquet. Columns of text are left out; empty fields, NA and NaN are missing values. Features are kept in float32.
 *
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`; `UAM_DATA` naming file and line; `UAM_ABORTED`
 * @example
 * const { rm, writeFile } = await import('node:fs/promises');
 * const path = `${(await import('node:os')).tmpdir()}/uam_example_table.csv`;
 * await writeFile(path, 'patient,class,glcm_Contrast\nA,stroma,1.5\nA,tumour,2.5\nB,tumour,\n');
 * const dataset = await readTable(path);
 * dataset.patients;   // ['A', 'B']
 * await rm(path);
 */
export async function readTable(path: string, options: ReadTableOptions = {}): Promise<CellDataset> {
  const pace = new Pace('reading a table', options.signal);
  let reader: TableReader | undefined;
  let line = 0;
  for await (const fields of tableRows(path, pace)) {
    line++;
    if (reader) reader.row(fields, line);
    else reader = new TableReader(path, fields.map(String), options);
    if (line % 16 === 0) await pace.rest();
  }
  if (!reader) throw new UamError('UAM_DATA', `${path}: it is empty`);
  return reader.dataset();
}
