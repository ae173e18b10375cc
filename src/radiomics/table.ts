import ndarray from 'ndarray';
import { UamError } from '../errors.js';
import { csvOf } from './csv_text.js';
import { didYouMean } from './near_names.js';
import {
  CELL_COLUMNS,
  type CellStatus,
  type FeatureColumn,
  type FeatureTableParts,
  refuseOtherColumns,
  STATUS_NAMES,
  type TextColumn,
  textAt,
} from './table_columns.js';
import { openTableWriter } from './table_writer.js';

/** One cell as a plain object, named as the columns of the files are. */
export type FeatureRow = Record<string, string | number | boolean>;

/**
 * Features of cells: a row per cell, a typed array per feature.
 *
 * In files and in `row()` the columns are: the text columns (`image`, `patient`, ...), `label`, `x`, `y`, `touches_border`,
 * `status`, then the features. Iterating gives the rows as objects; for speed, read `column(name).data`.
 *
 * @throws UamError `UAM_SHAPE` where lengths differ, `UAM_ARGUMENT` for a repeated column name or an unknown status code
 * @example
 * const table = new radiomics.FeatureTable({
 *   ids: Uint32Array.of(7, 9),
 *   centroids: Float64Array.of(10.5, 20, 31, 8.25),
 *   touchesBorder: Uint8Array.of(0, 1),
 *   status: Uint8Array.of(0, 1),
 *   columns: [{ name: 'firstorder_Mean', unit: '1', definition: 'mean raw intensity', data: Float64Array.of(101.5, NaN) }],
 * });
 * const mean = table.column('firstorder_Mean').data; // Float64Array [101.5, NaN]
 * for (const row of table) console.log(row.label, row.status, row.firstorder_Mean);
 * console.log(table.toCsv());
 */
export class FeatureTable implements Iterable<FeatureRow> {
  /** The number of cells. */
  readonly length: number;
  readonly ids: Uint32Array;
  readonly centroids: Float64Array;
  readonly touchesBorder: Uint8Array;
  readonly status: Uint8Array;
  readonly columns: readonly FeatureColumn[];
  readonly labels: readonly TextColumn[];

  constructor({ ids, centroids, touchesBorder, status, columns, labels = [] }: FeatureTableParts) {
    this.length = ids.length;
    this.ids = ids;
    this.centroids = centroids;
    this.touchesBorder = touchesBorder;
    this.status = status;
    this.columns = columns;
    this.labels = labels;
    this.#check();
  }

  #check(): void {
    const long = (name: string, found: number, rows = this.length): void => {
      if (found !== rows) throw new UamError('UAM_SHAPE', `FeatureTable: ${name} must have ${rows} entries, received ${found}`);
    };
    long('centroids', this.centroids.length, 2 * this.length);
    long('touchesBorder', this.touchesBorder.length);
    long('status', this.status.length);
    for (const { name, data } of this.columns) long(`column ${name}`, data.length);
    for (const { name, values } of this.labels) if (typeof values !== 'string') long(`text column ${name}`, values.length);
    for (let i = 0; i < this.length; i++) {
      const code = this.status[i] as number;
      if (code >= STATUS_NAMES.length) {
        throw new UamError('UAM_ARGUMENT', `FeatureTable: status must be 0 to ${STATUS_NAMES.length - 1}, received ${code} in row ${i}`);
      }
    }
    const seen = new Set<string>();
    for (const name of [...this.labels.map(({ name }) => name), ...CELL_COLUMNS, ...this.names]) {
      if (seen.has(name)) throw new UamError('UAM_ARGUMENT', `FeatureTable: two columns are named '${name}'`);
      seen.add(name);
    }
  }

  /** The features' names, in order. */
  get names(): string[] {
    return this.columns.map(({ name }) => name);
  }

  /**
   * One feature of every cell.
   *
   * @throws UamError `UAM_ARGUMENT` for a name that the table has not
   */
  column(name: string): FeatureColumn {
    const found = this.columns.find((column) => column.name === name);
    if (found) return found;
    const hint = didYouMean(name, this.names) || `its ${this.columns.length} features are listed by \`names\``;
    throw new UamError('UAM_ARGUMENT', `FeatureTable: there is no feature '${name}'; ${hint}`);
  }

  /** The status of a row, in words. */
  statusOf(row: number): CellStatus {
    return STATUS_NAMES[this.status[this.#row(row)] as number] as CellStatus;
  }

  /** One cell as a plain object. */
  row(index: number): FeatureRow {
    const i = this.#row(index);
    const row: FeatureRow = {};
    for (const label of this.labels) row[label.name] = textAt(label, i);
    row['label'] = this.ids[i] as number;
    row['x'] = this.centroids[2 * i] as number;
    row['y'] = this.centroids[2 * i + 1] as number;
    row['touches_border'] = this.touchesBorder[i] !== 0;
    row['status'] = this.statusOf(i);
    for (const { name, data } of this.columns) row[name] = data[i] as number;
    return row;
  }

  #row(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index;
    const rows = this.length === 0 ? 'the table is empty' : `must be an integer from 0 to ${this.length - 1}`;
    throw new UamError('UAM_ARGUMENT', `FeatureTable: row ${String(index)}: ${rows}`);
  }

  *[Symbol.iterator](): Generator<FeatureRow> {
    for (let i = 0; i < this.length; i++) yield this.row(i);
  }

  /** The features as one matrix: an ndarray of shape `[cells, features]`, float64, rows side by side in memory. */
  toNdarray(): ndarray.NdArray<Float64Array> {
    const width = this.columns.length;
    const matrix = new Float64Array(this.length * width);
    this.columns.forEach(({ data }, j) => {
      for (let i = 0; i < this.length; i++) matrix[i * width + j] = data[i] as number;
    });
    return ndarray(matrix, [this.length, width]);
  }

  /**
   * A table of these features only, in this order. Nothing is copied.
   *
   * @throws UamError `UAM_ARGUMENT` for a name that the table has not
   */
  select(names: readonly string[]): FeatureTable {
    return new FeatureTable({ ...this, columns: names.map((name) => this.column(name)) });
  }

  /** The same cells behind other text columns, such as the image that they come from. Nothing is copied. */
  withLabels(labels: readonly TextColumn[]): FeatureTable {
    return new FeatureTable({ ...this, labels });
  }

  /** As a text in CSV: see `openTableWriter` for the form. */
  toCsv(): string {
    return csvOf(this);
  }

  /**
   * Writes a CSV file, gzipped where the name ends in `.gz`. It appears under its name when it is whole.
   *
   * @throws UamError `UAM_IO` where it cannot be written
   */
  writeCsv(path: string): Promise<void> {
    return this.#write(path, 'csv');
  }

  /**
   * Writes a Parquet file. It appears under its name when it is whole.
   *
   * @throws UamError `UAM_IO` where it cannot be written
   */
  writeParquet(path: string): Promise<void> {
    return this.#write(path, 'parquet');
  }

  async #write(path: string, format: 'csv' | 'parquet'): Promise<void> {
    const writer = await openTableWriter(path, { format });
    try {
      await writer.write(this);
      await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /**
   * The rows of all tables, one after the other.
   *
   * @throws UamError `UAM_SHAPE` where the tables do not have the same columns, or where there is none
   */
  static concat(tables: readonly FeatureTable[]): FeatureTable {
    const [first] = tables;
    if (!first) throw new UamError('UAM_SHAPE', 'FeatureTable.concat: there must be at least one table');
    tables.forEach((table, i) => refuseOtherColumns(first, table, `FeatureTable.concat: table ${i}`));
    const rows = tables.reduce((sum, table) => sum + table.length, 0);
    const join = <T extends Uint8Array | Uint32Array | Float64Array>(out: T, part: (table: FeatureTable) => T): T => {
      let at = 0;
      for (const table of tables) {
        out.set(part(table) as never, at);
        at += part(table).length;
      }
      return out;
    };
    return new FeatureTable({
      ids: join(new Uint32Array(rows), (table) => table.ids),
      centroids: join(new Float64Array(2 * rows), (table) => table.centroids),
      touchesBorder: join(new Uint8Array(rows), (table) => table.touchesBorder),
      status: join(new Uint8Array(rows), (table) => table.status),
      columns: first.columns.map((column, j) => ({
        ...column,
        data: join(new Float64Array(rows), (table) => (table.columns[j] as FeatureColumn).data),
      })),
      labels: first.labels.map(({ name }, j) => ({ name, values: joinTexts(tables, j) })),
    });
  }
}

/** Column `j` of the texts of all tables: once where it is the same text throughout. */
function joinTexts(tables: readonly FeatureTable[], j: number): TextColumn['values'] {
  const parts = tables.map((table) => ({ rows: table.length, values: (table.labels[j] as TextColumn).values }));
  const [first] = parts;
  if (typeof first?.values === 'string' && parts.every(({ values }) => values === first.values)) return first.values;
  return parts.flatMap(({ rows, values }) => (typeof values === 'string' ? new Array<string>(rows).fill(values) : values));
}
