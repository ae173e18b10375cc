// Overlapping tiles for prediction, so that no cell is judged from the edge of a tile alone: "Slides" in section 5 of the specification.
import { rising } from './feature_rows.js';
import type { Pace } from './pace.js';
import { boxOf } from './tiles.js';

export interface WindowOptions {
  /** Side of a window, in micrometres: as large as the tiles that the model has learned from. Default 512. */
  size?: number | undefined;
  /** The most cells in a window. Default 2048. */
  most?: number | undefined;
}

export interface Windows {
  /** Rows of the cells of each window, rising; a cell is in one window or more. */
  tiles: Int32Array[];
  /** What each window's word on each of its cells weighs; empty where there is one window only. */
  weights: Float32Array[];
}

/** Which cell each row is, and what its answer weighs. */
export interface RowsOfCells {
  source: Int32Array;
  weights: Float32Array;
}

/** From one window to the next, as a share of their side. */
const STRIDE = 0.75;
/** What a cell at the very edge of a window weighs; one in the middle weighs 1. */
const LEAST = 1e-3;
/** Windows are not made smaller than this for the sake of `most`, in micrometres: cells may lie on each other. */
const SMALLEST = 16;

/** Windows along one axis; the last one is shifted inward, so that it ends with the field. */
class Axis {
  readonly count: number;
  readonly #stride: number;
  /** Where the last window begins. */
  readonly #last: number;

  constructor(
    private readonly low: number,
    extent: number,
    private readonly size: number,
  ) {
    this.#stride = STRIDE * size;
    this.#last = Math.max(0, extent - size);
    this.count = Math.ceil(this.#last / this.#stride) + 1;
  }

  /** Calls `found` for each window over a place, with what its word on the place weighs. */
  over(place: number, found: (window: number, weight: number) => void): void {
    const at = place - this.low;
    const weigh = (window: number, start: number) => found(window, Math.max(LEAST, Math.sin((Math.PI * (at - start)) / this.size) ** 2));
    const first = Math.max(0, Math.ceil((at - this.size) / this.#stride));
    const last = Math.min(this.count - 2, Math.floor(at / this.#stride));
    for (let window = first; window <= last; window++) weigh(window, window * this.#stride);
    if (at >= this.#last) weigh(this.count - 1, this.#last);
  }
}

async function cut(positions: Float64Array, axes: readonly [Axis, Axis], pace: Pace): Promise<Windows> {
  const [across, down] = axes;
  const lists = new Map<number, { cells: number[]; weights: number[] }>();
  for (let cell = 0; 2 * cell < positions.length; cell++) {
    down.over(positions[2 * cell + 1] as number, (row, below) => {
      across.over(positions[2 * cell] as number, (column, beside) => {
        const at = row * across.count + column;
        let list = lists.get(at);
        if (!list) lists.set(at, (list = { cells: [], weights: [] }));
        list.cells.push(cell);
        list.weights.push(below * beside);
      });
    });
    if (cell % 4096 === 0) await pace.rest();
  }
  const sorted = [...lists].sort(([a], [b]) => a - b).map(([, list]) => list);
  return { tiles: sorted.map(({ cells }) => Int32Array.from(cells)), weights: sorted.map(({ weights }) => Float32Array.from(weights)) };
}

/**
 * Covers a field of cells with windows of one size, each a quarter over the next. What a model says of a cell is then the mean over its
 * windows, weighted by sin^2(pi t) along each axis, t from 0 to 1 across the window: where a window sees half of a cell's neighbours, its
 * word counts little. A field that fits into one window stays whole; where a window would hold too many cells, all are made smaller.
 *
 * @param positions `[cells, 2]` in micrometres
 */
export async function windowsOf(positions: Float64Array, { size = 512, most = 2048 }: WindowOptions, pace: Pace): Promise<Windows> {
  const count = positions.length / 2;
  if (count === 0) return { tiles: [], weights: [] };
  const { low, extent } = boxOf(positions);
  const widest = Math.max(...extent);
  if (widest <= size && count <= most) return { tiles: [rising(count)], weights: [] };
  for (let side = Math.min(size, Math.max(STRIDE * widest, SMALLEST)); ; side *= STRIDE) {
    const axis = (which: 0 | 1) => new Axis(low[which], extent[which], side);
    const windows = await cut(positions, [axis(0), axis(1)], pace);
    if (side <= SMALLEST || windows.tiles.every(({ length }) => length <= most)) return windows;
  }
}

/**
 * Answers by cell from answers by row: of a cell of several rows the weighted mean, summed in the order of the rows.
 *
 * @param rows `[rows, size]`
 * @param cells how many there are
 * @returns `[cells, size]`
 */
export async function byCell(
  rows: Float32Array,
  size: number,
  { source, weights }: RowsOfCells,
  cells: number,
  pace: Pace,
): Promise<Float32Array> {
  const out = new Float32Array(cells * size);
  const sums = new Float64Array(weights.length > 0 ? cells * size : 0);
  const shares = new Float64Array(weights.length > 0 ? cells : 0);
  for (let row = 0; row < source.length; row++) {
    const cell = source[row] as number;
    if (weights.length === 0) out.set(rows.subarray(row * size, (row + 1) * size), cell * size);
    else {
      const weight = weights[row] as number;
      shares[cell]! += weight;
      for (let i = 0; i < size; i++) sums[cell * size + i]! += weight * (rows[row * size + i] as number);
    }
    if (row % 4096 === 0) await pace.rest();
  }
  for (let at = 0; at < sums.length; at++) out[at] = (sums[at] as number) / (shares[Math.floor(at / size)] as number);
  return out;
}

/** Windows for a model: as large as the largest tile that it has learned from, and no smaller than a cell sees. */
export const windowSize = (positions: Float64Array): number => positions.reduce((most, place) => Math.max(most, place), 64);
