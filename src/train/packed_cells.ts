import { UamError } from '../errors.js';
import { applyScaling, type FeatureColumns, type Scaling } from '../tokens/scaling.js';
import type { Truth } from './dataset.js';
import type { Pace } from './pace.js';
import { type TileOptions, tilesOf } from './tiles.js';

/** Cells ready for a model, tile by tile, in memory that threads share: plain data. */
export interface PackedCells {
  cells: number;
  /** Numbers per cell. */
  width: number;
  /** `[cells, width]`, scaled; 0 where a value is missing. */
  values: Float32Array;
  /** `[cells, width]`: 1 where a value is missing. */
  missing: Uint8Array;
  /** `[cells, 2]` in micrometres from the corner of the tile; empty where the model needs no places. */
  positions: Float64Array;
  /** Where tiles begin and end, `[tiles + 1]`; without places every cell is a tile. */
  tiles: Int32Array;
  /** Which cell each row is, counted over all samples. */
  source: Int32Array;
  /** Where the labels of each row begin, `[cells + 1]`. */
  labelStarts: Int32Array;
  labels: Int32Array;
  /** Labels of points on no cell. */
  unmatched: Int32Array;
}

/** What is packed: a `CellSample`, or cells without known classes. */
export interface PackInput {
  name: string;
  table: FeatureColumns;
  positions: Float64Array | undefined;
  truth?: Truth;
}

/** Numbers scaled at a time: some milliseconds. */
const BLOCK = 400_000;

/** first, first + 1, ... */
function rising(first: number, count: number): Int32Array {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = first + i;
  return numbers;
}

const shared = (bytes: number) => new SharedArrayBuffer(bytes);

/** Rows `[from, to)` of columns, without a copy where they are typed arrays. */
function rowsOf(columns: FeatureColumns['columns'], from: number, to: number): FeatureColumns {
  const part = (data: ArrayLike<number>) =>
    ArrayBuffer.isView(data)
      ? (data as Float64Array).subarray(from, to)
      : Array.from({ length: to - from }, (_, i) => data[from + i] as number);
  return { length: to - from, columns: columns.map(({ name, data }) => ({ name, data: part(data) })) };
}

/** Rows of one sample, tile by tile. */
function tilesIn({ name, positions }: PackInput, places: boolean, options: TileOptions): Int32Array[] {
  if (!places) return [];
  if (!positions) {
    throw new UamError(
      'UAM_DATA',
      `${name}: cell tokens need the cells\u2019 places in micrometres: give positions, or mpp (micrometres per pixel)`,
    );
  }
  const bad = positions.findIndex((value) => !(Math.abs(value) < 1e9));
  if (bad >= 0)
    throw new UamError('UAM_DATA', `${name}: the position of cell ${bad >> 1} is ${positions[bad]}; micrometres below 1e9 were expected`);
  return tilesOf(positions, options);
}

/** Copies the scaled rows of one sample to their places: row i goes to `target[i]`. */
async function scaleInto(packed: PackedCells, { table }: PackInput, scaling: Scaling, target: Int32Array, pace: Pace): Promise<void> {
  const { width } = packed;
  const used = new Map(table.columns.map((column) => [column.name, column]));
  const columns = scaling.names.flatMap((name) => used.get(name) ?? []);
  const step = Math.max(1, Math.floor(BLOCK / width));
  for (let from = 0; from < Math.max(1, table.length); from += step) {
    const to = Math.min(from + step, table.length);
    const { values, missing } = applyScaling(scaling, rowsOf(columns, from, to));
    for (let row = from; row < to; row++) {
      const at = (target[row] as number) * width;
      packed.values.set(values.subarray((row - from) * width, (row - from + 1) * width), at);
      packed.missing.set(missing.subarray((row - from) * width, (row - from + 1) * width), at);
    }
    await pace.rest();
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

/**
 * Scales cells and lays them tile by tile.
 *
 * @param places whether the model needs to know where cells lie
 * @throws UamError `UAM_DATA` where a feature or a place is absent
 */
export async function packCells(
  samples: readonly PackInput[],
  scaling: Scaling,
  places: boolean,
  pace: Pace,
  tileOptions: TileOptions = {},
): Promise<PackedCells> {
  const cells = samples.reduce((sum, { table }) => sum + table.length, 0);
  const width = scaling.names.length;
  const packed: PackedCells = {
    ...{ cells, width },
    values: new Float32Array(shared(4 * cells * width)),
    missing: new Uint8Array(shared(cells * width)),
    positions: new Float64Array(shared(places ? 16 * cells : 0)),
    tiles: rising(0, places ? 1 : cells + 1),
    source: new Int32Array(shared(4 * cells)),
    labelStarts: new Int32Array(shared(4 * (cells + 1))),
    labels: new Int32Array(0),
    unmatched: new Int32Array(0),
  };
  const ends = [0];
  const entries: [number, number][] = [];
  let first = 0;
  for (const sample of samples) {
    const target = rising(first, sample.table.length);
    await pace.rest();
    let row = first;
    for (const tile of tilesIn(sample, places, tileOptions)) {
      layTile(packed, sample.positions as Float64Array, tile, row);
      for (const cell of tile) target[cell] = row++;
      ends.push(row);
      await pace.rest();
    }
    for (let cell = 0; cell < target.length; cell++) packed.source[target[cell] as number] = first + cell;
    await pace.rest();
    await scaleInto(packed, sample, scaling, target, pace);
    const { truth } = sample;
    truth?.cells.forEach((cell, i) => void entries.push([cell < 0 ? -1 : (target[cell] as number), truth.classes[i] as number]));
    first += sample.table.length;
  }
  if (places) packed.tiles = Int32Array.from(ends);
  packLabels(packed, entries);
  return packed;
}

/** Places of a tile's cells from its corner, so that what a model learns of places holds in every tile. */
function layTile(packed: PackedCells, positions: Float64Array, tile: Int32Array, first: number): void {
  for (const axis of [0, 1]) {
    const places = Float64Array.from(tile, (cell) => positions[2 * cell + axis] as number);
    const corner = places.reduce((low, place) => Math.min(low, place), Number.POSITIVE_INFINITY);
    places.forEach((place, i) => {
      packed.positions[2 * (first + i) + axis] = place - corner;
    });
  }
}
