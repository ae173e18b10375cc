import { createReadStream } from 'node:fs';
import { mismatch, UamError } from '../errors.js';
import { CELL_COLUMNS } from '../radiomics/table_columns.js';
import { CellDataset, positionsOf, type SampleInput } from './dataset.js';
import { Pace } from './pace.js';
import { splitOf } from './read_manifest.js';

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

/** The rows of one sample as they are read. */
interface Gathered {
  patient: string;
  split: string;
  classes: string[];
  places: number[];
  columns: number[][];
}

/** Columns that are neither features nor of another use here. */
const KNOWN: readonly string[] = Object.freeze([...CELL_COLUMNS, 'split']);

/** Texts that stand for a missing value. */
const MISSING = /^(?:|na|nan|null|none)$/i;

const numberOf = (text: string): number => (MISSING.test(text) ? Number.NaN : Number(text));
const isNumber = (text: string): boolean => MISSING.test(text) || !Number.isNaN(Number(text));

class TableReader {
  readonly #samples = new Map<string, Gathered>();
  readonly #header: readonly string[];
  /** Places of the candidates for features. */
  readonly #candidates: number[];
  readonly #numeric: boolean[];
  #line = 1;

  constructor(
    private readonly path: string,
    header: readonly string[],
    private readonly options: ReadTableOptions,
  ) {
    const { class: label = 'class', patient = 'patient', sample = 'image', features } = options;
    this.#header = header;
    const asked = [
      ...(features ?? []),
      ...(options.class ? [label] : []),
      ...(options.patient ? [patient] : []),
      ...(options.sample ? [sample] : []),
    ];
    const lacks = asked.find((name) => !header.includes(name));
    if (lacks !== undefined)
      throw new UamError('UAM_DATA', `${path}: there is no column '${lacks}'; the columns are ${header.slice(0, 20).join(', ')}`);
    const others = header.filter((name) => ![...KNOWN, label, patient, sample].includes(name));
    this.#candidates = (features ?? others).map((name) => header.indexOf(name));
    this.#numeric = this.#candidates.map(() => true);
  }

  row(fields: readonly string[]): void {
    this.#line++;
    const { class: label = 'class', patient = 'patient', sample = 'image', features } = this.options;
    const field = (name: string) => fields[this.#header.indexOf(name)] ?? '';
    const name = field(sample) || field(patient) || (this.options.mpp === undefined ? `line ${this.#line}` : 'all');
    const gathered = this.#sampleOf(name, field(patient), field('split'));
    gathered.classes.push(field(label));
    if (this.options.mpp !== undefined) gathered.places.push(this.#place(field('x'), 'x'), this.#place(field('y'), 'y'));
    this.#candidates.forEach((column, at) => {
      const text = fields[column] ?? '';
      if (!isNumber(text)) {
        if (features) throw mismatch('UAM_DATA', `${this.path}: line ${this.#line}: ${features[at]}`, 'a number', `'${text}'`);
        this.#numeric[at] = false;
      }
      gathered.columns[at]?.push(numberOf(text));
    });
  }

  #place(text: string, axis: string): number {
    const value = text === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value)) return value;
    throw mismatch('UAM_DATA', `${this.path}: line ${this.#line}: ${axis}`, 'a number (mpp asks for places)', `'${text}'`);
  }

  #sampleOf(name: string, patient: string, split: string): Gathered {
    const found = this.#samples.get(name);
    if (found) {
      if (found.patient === patient && found.split === split) return found;
      throw new UamError(
        'UAM_DATA',
        `${this.path}: line ${this.#line}: ${name} is of patient '${found.patient}' in one line and of '${patient}' here, or of two splits`,
      );
    }
    const fresh: Gathered = { patient, split, classes: [], places: [], columns: this.#candidates.map(() => []) };
    this.#samples.set(name, fresh);
    return fresh;
  }

  dataset(): CellDataset {
    const { path, options } = this;
    if (this.#samples.size === 0) throw new UamError('UAM_DATA', `${path}: it has no rows`);
    if (!this.#numeric.includes(true)) throw new UamError('UAM_DATA', `${path}: none of its columns holds features: numbers throughout`);
    const inputs = [...this.#samples].map(([name, { patient, split, classes, places, columns }]): SampleInput => {
      const data = columns.flatMap((values, at) =>
        this.#numeric[at] ? [{ name: this.#header[this.#candidates[at] as number] as string, data: Float64Array.from(values) }] : [],
      );
      const positions = options.mpp === undefined ? undefined : positionsOf(Float64Array.from(places), options.mpp, path);
      return {
        name,
        patient: patient || undefined,
        split: splitOf(split, `${path}: ${name}`),
        table: { length: classes.length, columns: data },
        positions,
        classes,
      };
    });
    return CellDataset.from(inputs, { classes: options.classes });
  }
}

/**
 * Reads a table of features with classes: a CSV (or TSV) file with a row per cell, such as `uam features` writes, or any other. Columns
 * of text are left out; empty fields, NA and NaN are missing values.
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
  const { parse } = await import('csv-parse');
  const pace = new Pace('reading a table', options.signal);
  const parser = parse({ bom: true, delimiter: /\.tsv$/i.test(path) ? '\t' : ',', skip_empty_lines: true, trim: true });
  const source = createReadStream(path);
  source.on('error', (error) => parser.destroy(error)); // pipe does not hand errors on
  source.pipe(parser);
  let reader: TableReader | undefined;
  try {
    for await (const fields of parser as AsyncIterable<string[]>) {
      if (reader) reader.row(fields);
      else reader = readerFor(path, fields, options);
      await pace.rest();
    }
  } catch (error) {
    if (error instanceof UamError) throw error;
    const { message, code = '' } = error as NodeJS.ErrnoException;
    const unreadable = /^E[A-Z]+$/.test(code);
    throw new UamError(
      unreadable ? 'UAM_INPUT' : 'UAM_FORMAT',
      `${path}: ${unreadable ? 'cannot be read' : 'not a valid table'}: ${message}`,
      { cause: error },
    );
  } finally {
    source.destroy();
  }
  if (!reader) throw new UamError('UAM_DATA', `${path}: it is empty`);
  return reader.dataset();
}

function readerFor(path: string, header: readonly string[], options: ReadTableOptions): TableReader {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new UamError('UAM_FORMAT', `${path}: two columns are named '${twice}'`);
  return new TableReader(path, header, options);
}
