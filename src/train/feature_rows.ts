import { type FeatureColumns, refuseAbsent } from '../tokens/scaling.js';
import type { Pace } from './pace.js';

/**
 * Measured features of many cells: float32, row after row, in chunks of memory that threads share. It is held once, whoever works with
 * it, and goes to another thread without a copy.
 */
export interface FeatureMatrix {
  readonly names: readonly string[];
  /** Where in a row the feature of each name is. */
  readonly places: Int32Array;
  /** Numbers per row. */
  readonly stride: number;
  readonly rowsPerChunk: number;
  readonly chunks: readonly Float32Array[];
}

/** Numbers per chunk: 16 MB. */
const CHUNK = 1 << 22;

/** Builds a matrix row by row: no row is ever moved. */
export class MatrixBuilder {
  readonly #chunks: Float32Array[] = [];
  readonly #rowsPerChunk: number;
  rows = 0;

  /** @param expected rows, where that is known: a smaller matrix takes no more than it needs */
  constructor(
    private readonly stride: number,
    expected = Number.POSITIVE_INFINITY,
  ) {
    this.#rowsPerChunk = Math.max(1, Math.min(expected, Math.floor(CHUNK / Math.max(1, stride))));
  }

  /** A new row, to be filled. */
  add(): Float32Array {
    const at = this.rows % this.#rowsPerChunk;
    if (at === 0) this.#chunks.push(new Float32Array(new SharedArrayBuffer(4 * this.#rowsPerChunk * this.stride)));
    this.rows++;
    return (this.#chunks.at(-1) as Float32Array).subarray(at * this.stride, (at + 1) * this.stride);
  }

  /** @param places of the named features in a row; default: they are all of it */
  finish(names: readonly string[], places: Int32Array = Int32Array.from(names.keys())): FeatureMatrix {
    return { names, places, stride: this.stride, rowsPerChunk: this.#rowsPerChunk, chunks: this.#chunks };
  }
}

/** first, first + 1, ... */
export function rising(count: number, first = 0): Int32Array {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = first + i;
  return numbers;
}

/** Rows of a matrix as a table of features: what datasets that are read from files are made of. */
export class FeatureRows implements FeatureColumns {
  constructor(
    readonly matrix: FeatureMatrix,
    readonly rows: Int32Array,
  ) {}

  get length(): number {
    return this.rows.length;
  }

  /** The features, gathered from the rows when their `data` are read. */
  get columns(): FeatureColumns['columns'] {
    return this.matrix.names.map((name, at) => new RowsColumn(this, name, at));
  }

  /** Writes the values of feature `at` to `into`, from `first` on. */
  copyColumn(at: number, into: Float32Array | Float64Array, first: number): void {
    const { places, stride, rowsPerChunk, chunks } = this.matrix;
    const place = places[at] as number;
    for (let i = 0; i < this.rows.length; i++) {
      const row = this.rows[i] as number;
      const inChunk = row % rowsPerChunk;
      into[first + i] = (chunks[(row - inChunk) / rowsPerChunk] as Float32Array)[inChunk * stride + place] as number;
    }
  }

  /** The values, `[length, names]`. */
  toArray(): Float32Array {
    const { places, stride, rowsPerChunk, chunks } = this.matrix;
    const values = new Float32Array(this.length * places.length);
    let at = 0;
    for (const row of this.rows) {
      const inChunk = row % rowsPerChunk;
      const chunk = chunks[(row - inChunk) / rowsPerChunk] as Float32Array;
      for (let f = 0; f < places.length; f++) values[at++] = chunk[inChunk * stride + (places[f] as number)] as number;
    }
    return values;
  }

  /** @param values `[cells, names]`, copied */
  static of(names: readonly string[], values: Float32Array): FeatureRows {
    const rows = names.length === 0 ? 0 : values.length / names.length;
    const builder = new MatrixBuilder(names.length, rows);
    for (let i = 0; i < rows; i++) builder.add().set(values.subarray(i * names.length, (i + 1) * names.length));
    return new FeatureRows(builder.finish(names), rising(rows));
  }

  /**
   * A table in float32.
   *
   * @param names the features to take
   * @throws UamError `UAM_DATA` where one is absent
   */
  static async from(table: FeatureColumns, names: readonly string[], pace: Pace): Promise<FeatureRows> {
    refuseAbsent(names, table);
    const columns = new Map(table.columns.map(({ name, data }) => [name, data]));
    const data = names.map((name) => columns.get(name) as ArrayLike<number>);
    const builder = new MatrixBuilder(names.length, table.length);
    for (let i = 0; i < table.length; i++) {
      const row = builder.add();
      for (let f = 0; f < data.length; f++) row[f] = (data[f] as ArrayLike<number>)[i] as number;
      if (i % 256 === 0) await pace.rest();
    }
    return new FeatureRows(builder.finish(names), rising(table.length));
  }
}

class RowsColumn {
  constructor(
    private readonly table: FeatureRows,
    readonly name: string,
    private readonly at: number,
  ) {}

  get data(): Float32Array {
    const data = new Float32Array(this.table.length);
    this.table.copyColumn(this.at, data, 0);
    return data;
  }
}

/** The names of a table's features. */
export const namesOf = (table: FeatureColumns): readonly string[] =>
  table instanceof FeatureRows ? table.matrix.names : table.columns.map(({ name }) => name);
