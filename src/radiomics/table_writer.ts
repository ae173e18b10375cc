import { UamError } from '../errors.js';
import { openCsv } from './csv_writer.js';
import { openParquet } from './parquet_writer.js';
import { type CellRows, refuseOtherColumns } from './table_columns.js';

/** One format's way of taking tables. */
export interface RowWriter {
  write(table: CellRows): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
  readonly temporary: string | undefined;
}

export interface TableWriterOptions {
  /** Default: from the name, `.csv`, `.csv.gz`, `.parquet` or `.pq`; CSV for standard output. */
  format?: 'csv' | 'parquet' | undefined;
  /** CSV only: go on after the rows that the file holds already. Their header must be the same. */
  append?: boolean | undefined;
}

/** Takes the tables of a run one after the other; see `openTableWriter`. */
export interface TableWriter {
  /** Settles when more may be written. Calls are served in order. */
  write(table: CellRows): Promise<void>;
  /** Finishes the file and gives it its name. Where that fails, nothing is left. */
  close(): Promise<void>;
  /** Removes what was written; does nothing after `close`. */
  abort(): Promise<void>;
  /** The unfinished file, for a process that must end at once; absent for standard output. */
  readonly temporary: string | undefined;
  /** Rows written so far. */
  readonly rows: number;
}

/**
 * Opens a file for tables of cells, which are written as they come: memory does not grow with the rows. The file is written under a
 * temporary name in the same folder, and gets its own name when it is closed.
 *
 * CSV is RFC 4180 with line feeds: numbers in the shortest form that reads back as the same float64, NaN as an empty field (what
 * pandas and R take for missing), `touches_border` as 0 or 1, fields in quotes where they must be. Parquet has float64 features, int64
 * labels, a boolean `touches_border` and texts, none of them nullable (NaN is a value); units and definitions are in its
 * metadata as JSON under `uam.columns`. In both, the columns are the texts, `label`, `x`, `y`, `touches_border`, `status`, and
 * the features.
 *
 * @param path the file, or `'-'` for standard output
 * @throws UamError `UAM_ARGUMENT` where the format cannot be told from the name, `UAM_IO` where the file cannot be written; `write`
 *   throws `UAM_SHAPE` for a table with other columns than the first
 * @example
 * const { mkdtempSync, rmSync } = await import('node:fs');
 * const folder = mkdtempSync('/tmp/uam-');
 * const table = new radiomics.FeatureTable({
 *   ids: Uint32Array.of(1),
 *   centroids: Float64Array.of(4, 5),
 *   touchesBorder: Uint8Array.of(0),
 *   status: Uint8Array.of(0),
 *   columns: [{ name: 'firstorder_Mean', unit: '1', definition: 'mean raw intensity', data: Float64Array.of(0.1) }],
 * });
 * const writer = await radiomics.openTableWriter(`${folder}/cells.csv`);
 * await writer.write(table.withLabels([{ name: 'image', values: 'a.png' }]));
 * await writer.write(table.withLabels([{ name: 'image', values: 'b.png' }]));
 * await writer.close();
 * rmSync(folder, { recursive: true });
 */
export async function openTableWriter(path: string, options: TableWriterOptions = {}): Promise<TableWriter> {
  const format = formatOf(path, options);
  const writer = format === 'csv' ? await openCsv(path, options.append ?? false) : await openParquet(path);
  return new SerialWriter(writer, path);
}

/**
 * The format that a file is written in.
 *
 * @throws UamError `UAM_ARGUMENT` where the name does not say, or where it cannot be appended to
 */
export function formatOf(path: string, { format, append }: TableWriterOptions = {}): 'csv' | 'parquet' {
  if (format !== undefined && format !== 'csv' && format !== 'parquet') {
    throw new UamError('UAM_ARGUMENT', `format must be 'csv' or 'parquet', received '${String(format)}'`);
  }
  if (typeof path !== 'string' || path === '') throw new UamError('UAM_ARGUMENT', "the table's path must be a file name, or '-'");
  const named = /\.csv(\.gz)?$/i.test(path) || path === '-' ? 'csv' : /\.(parquet|pq)$/i.test(path) ? 'parquet' : undefined;
  const chosen = format ?? named;
  if (!chosen) throw new UamError('UAM_ARGUMENT', `${path}: the name must end in .csv, .csv.gz or .parquet, or give a format`);
  if (append && chosen === 'parquet') throw new UamError('UAM_ARGUMENT', `${path}: a Parquet file cannot be appended to; write CSV`);
  return chosen;
}

/** Serves calls in order, compares columns, and says what a failed or closed writer cannot do. */
class SerialWriter implements TableWriter {
  rows = 0;
  #first: CellRows | undefined;
  #state: 'open' | 'failed' | 'closed' = 'open';
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly writer: RowWriter,
    private readonly path: string,
  ) {}

  get temporary(): string | undefined {
    return this.#state === 'closed' ? undefined : this.writer.temporary;
  }

  write(table: CellRows): Promise<void> {
    return this.#next(async () => {
      if (this.#first) refuseOtherColumns(this.#first, table, `${this.path}: each table`);
      try {
        await this.writer.write(table);
      } catch (error) {
        this.#state = 'failed';
        throw error;
      }
      this.#first ??= withoutData(table);
      this.rows += table.length;
    });
  }

  close(): Promise<void> {
    return this.#next(async () => {
      if (!this.#first) {
        await this.#discard();
        throw new UamError('UAM_ARGUMENT', `${this.path}: no table was written, so its columns are unknown; write an empty one`);
      }
      try {
        await this.writer.close();
        this.#state = 'closed';
      } catch (error) {
        await this.#discard();
        throw error;
      }
    });
  }

  async abort(): Promise<void> {
    await this.#last.catch(() => {});
    if (this.#state !== 'closed') await this.#discard();
  }

  async #discard(): Promise<void> {
    this.#state = 'closed';
    await this.writer.abort();
  }

  #next(work: () => Promise<void>): Promise<void> {
    const run = this.#last
      .catch(() => {})
      .then(() => {
        if (this.#state === 'open') return work();
        throw new UamError('UAM_IO', `${this.path}: the writer ${this.#state === 'closed' ? 'is closed' : 'has failed before'}`);
      });
    this.#last = run;
    run.catch(() => {}); // the caller has it too
    return run;
  }
}

/** What later tables are compared with, without the memory of the rows. */
const withoutData = (table: CellRows): CellRows => ({
  length: 0,
  ids: new Uint32Array(),
  centroids: new Float64Array(),
  touchesBorder: new Uint8Array(),
  status: new Uint8Array(),
  columns: table.columns.map((column) => ({ ...column, data: new Float64Array() })),
  labels: table.labels.map(({ name }) => ({ name, values: '' })),
});
