import { UamError } from '../errors.js';
import { type FeatureColumns, refuseAbsent, type Scaling, scaledValue } from '../tokens/scaling.js';
import type { Truth } from './dataset.js';
import { type FeatureMatrix, FeatureRows, rising } from './feature_rows.js';
import type { Pace } from './pace.js';
import { tilesOf } from './tiles.js';
import { type WindowOptions, type Windows, windowsOf } from './windows.js';

/** Cells ready for a model, tile by tile, in memory that threads share: plain data. */
export interface PackedCells {
  /** Rows; cells of overlapping tiles have several. */
  cells: number;
  /** Numbers per cell. */
  width: number;
  scaling: Scaling;
  /** The measured features, which are scaled when a batch is made: there is no second copy of them. */
  matrices: PackedMatrix[];
  /** Which matrix the features of each row are in, and which row of it they are. */
  matrixOf: Int32Array;
  matrixRow: Int32Array;
  /** `[cells, 2]` in micrometres, from the corner of the tile where samples were cut into tiles; empty where the model needs no places. */
  positions: Float64Array;
  /** Where tiles begin and end, `[tiles + 1]`; without places every cell is a tile. */
  tiles: Int32Array;
  /** Which cell each row is, counted over all samples. */
  source: Int32Array;
  /** What the answer of each row weighs in that of its cell; empty where every cell has one row. */
  weights: Float32Array;
  /** Where the labels of each row begin, `[cells + 1]`. */
  labelStarts: Int32Array;
  labels: Int32Array;
  /** Labels of points on no cell. */
  unmatched: Int32Array;
}

/** A matrix of features, as `FeatureMatrix` has it. */
export interface PackedMatrix {
  stride: number;
  rowsPerChunk: number;
  chunks: readonly Float32Array[];
  /** Where in a row each input of the model is. */
  columns: Int32Array;
}

/** What is packed: a `CellSample`, or cells without known classes. */
export interface PackInput {
  name: string;
  table: FeatureColumns;
  positions: Float64Array | undefined;
  truth?: Truth;
}

const shared = (bytes: number) => new SharedArrayBuffer(bytes);

/** Cells of one sample, tile by tile; of every cell a tile where the model needs no places. */
async function layOut(
  { name, table, positions }: PackInput,
  places: boolean,
  windows: WindowOptions | 'samples' | undefined,
  pace: Pace,
): Promise<Windows> {
  if (!places) return { tiles: [rising(table.length)], weights: [] };
  if (!positions) {
    throw new UamError(
      'UAM_DATA',
      `${name}: cell tokens need the cells\u2019 places in micrometres: give positions, or mpp (micrometres per pixel)`,
    );
  }
  const bad = positions.findIndex((value) => !(Math.abs(value) < 1e9));
  if (bad >= 0)
    throw new UamError('UAM_DATA', `${name}: the position of cell ${bad >> 1} is ${positions[bad]}; micrometres below 1e9 were expected`);
  if (windows === 'samples') return { tiles: [rising(table.length)], weights: [] };
  return windows ? windowsOf(positions, windows, pace) : { tiles: tilesOf(positions), weights: [] };
}

/** Where the features of the packed rows are: the matrices that samples share, each named once. */
class Matrices {
  readonly list: PackedMatrix[] = [];
  readonly #known = new Map<FeatureMatrix, number>();

  constructor(private readonly names: readonly string[]) {}

  indexOf(table: FeatureRows): number {
    const { matrix } = table;
    const found = this.#known.get(matrix);
    if (found !== undefined) return found;
    refuseAbsent(this.names, table);
    const placeOf = new Map(matrix.names.map((name, at) => [name, matrix.places[at] as number]));
    const { stride, rowsPerChunk, chunks } = matrix;
    this.list.push({ stride, rowsPerChunk, chunks, columns: Int32Array.from(this.names, (name) => placeOf.get(name) as number) });
    this.#known.set(matrix, this.list.length - 1);
    return this.list.length - 1;
  }
}

/** Labels of rows, gathered by row: several points may lie on one cell. */
function packLabels(packed: PackedCells, entries: readonly (readonly [row: number, label: number])[]): void {
  const { labelStarts, cells } = packed;
  const matched = entries.filter(([row]) => row >= 0);
  for (const [row] of matched) labelStarts[row + 1]! += 1;
  for (let row = 0; row < cells; row++) labelStarts[row + 1]! += labelStarts[row] as number;
  const next = labelStarts.slice(0, cells);
  packed.labels = new Int32Array(shared(4 * matched.length));
  for (const [row, label] of matched) packed.labels[next[row]!++] = label;
  packed.unmatched = Int32Array.from(
    entries.filter(([row]) => row < 0),
    ([, label]) => label,
  );
}

/** Lays the rows of one sample behind those that are there. */
function layRows(
  packed: PackedCells,
  sample: PackInput,
  { tiles, weights }: Windows,
  { ends, cellsBefore, corners }: { ends: number[]; cellsBefore: number; corners: boolean },
): void {
  let row = ends.at(-1) as number;
  tiles.forEach((tile, at) => {
    if (packed.positions.length > 0) layTile(packed, sample.positions as Float64Array, tile, row, corners);
    if (weights[at]) packed.weights.set(weights[at], row);
    for (const cell of tile) packed.source[row++] = cellsBefore + cell;
    ends.push(row);
  });
}

/**
 * Lays cells tile by tile.
 *
 * @param places whether the model needs to know where cells lie
 * @param windows tiles may lie over each other, for prediction: then a cell has several rows. `'samples'`: every sample is a tile, of no
 *   cells perhaps, and places stay as they are. Absent: every cell is in one tile
 * @throws UamError `UAM_DATA` where a feature or a place is absent
 */
export async function packCells(
  samples: readonly PackInput[],
  scaling: Scaling,
  places: boolean,
  pace: Pace,
  windows?: WindowOptions | 'samples',
): Promise<PackedCells> {
  const layouts: Windows[] = [];
  for (const sample of samples) {
    layouts.push(await layOut(sample, places, windows, pace));
    await pace.rest();
  }
  const cells = layouts.reduce((sum, { tiles }) => tiles.reduce((rows, { length }) => rows + length, sum), 0);
  const matrices = new Matrices(scaling.names);
  const packed: PackedCells = {
    ...{ cells, width: scaling.names.length, scaling, matrices: matrices.list },
    matrixOf: new Int32Array(shared(4 * cells)),
    matrixRow: new Int32Array(shared(4 * cells)),
    positions: new Float64Array(shared(places ? 16 * cells : 0)),
    tiles: rising(places ? 1 : cells + 1),
    source: new Int32Array(shared(4 * cells)),
    weights: new Float32Array(layouts.some(({ weights }) => weights.length > 0) ? cells : 0).fill(1),
    labelStarts: new Int32Array(shared(4 * (cells + 1))),
    labels: new Int32Array(0),
    unmatched: new Int32Array(0),
  };
  const ends = [0];
  const entries: [number, number][] = [];
  let before = 0;
  for (const [at, sample] of samples.entries()) {
    const first = ends.at(-1) as number;
    layRows(packed, sample, layouts[at] as Windows, { ends, cellsBefore: before, corners: windows !== 'samples' });
    await pace.rest();
    const table = sample.table instanceof FeatureRows ? sample.table : await FeatureRows.from(sample.table, scaling.names, pace);
    const matrix = matrices.indexOf(table);
    const rowOf = new Int32Array(table.length);
    for (let row = first; row < (ends.at(-1) as number); row++) {
      const cell = (packed.source[row] as number) - before;
      packed.matrixOf[row] = matrix;
      packed.matrixRow[row] = table.rows[cell] as number;
      rowOf[cell] = row;
    }
    const { truth } = sample;
    truth?.cells.forEach((cell, i) => void entries.push([cell < 0 ? -1 : (rowOf[cell] as number), truth.classes[i] as number]));
    before += table.length;
    await pace.rest();
  }
  if (places) packed.tiles = Int32Array.from(ends);
  packLabels(packed, entries);
  return packed;
}

/**
 * The features of a packed row as the model takes them in, written from `at` on.
 *
 * @param values scaled; 0 where a value is missing
 * @param missing 1 where a value is missing, else 0
 */
export function unpackRow(packed: PackedCells, row: number, values: Float32Array, missing: Uint8Array, at: number): void {
  const { scaling, width } = packed;
  const { stride, rowsPerChunk, chunks, columns } = packed.matrices[packed.matrixOf[row] as number] as PackedMatrix;
  const inMatrix = packed.matrixRow[row] as number;
  const inChunk = inMatrix % rowsPerChunk;
  const chunk = chunks[(inMatrix - inChunk) / rowsPerChunk] as Float32Array;
  for (let f = 0; f < width; f++) {
    const value = scaledValue(scaling, f, chunk[inChunk * stride + (columns[f] as number)] as number);
    const known = !Number.isNaN(value);
    values[at + f] = known ? value : 0;
    missing[at + f] = known ? 0 : 1;
  }
}

/** Places of a tile's cells, from its corner where tiles are `corners` of their own: what a model learns of places holds in every tile. */
function layTile(packed: PackedCells, positions: Float64Array, tile: Int32Array, first: number, corners: boolean): void {
  for (const axis of [0, 1]) {
    const places = Float64Array.from(tile, (cell) => positions[2 * cell + axis] as number);
    const corner = corners ? places.reduce((low, place) => Math.min(low, place), Number.POSITIVE_INFINITY) : 0;
    places.forEach((place, i) => {
      packed.positions[2 * (first + i) + axis] = place - corner;
    });
  }
}
