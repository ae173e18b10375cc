import { mismatch, UamError } from '../errors.js';
import { hilbertOrder } from './hilbert.js';
import { type NearLists, nearLists } from './near_cells.js';

/** How the cells of some tiles lie: made once, used in every step that sees them. Rows are cells in the order of the scan. */
export interface Arrangement {
  /** The cell of each row: cells along the Hilbert curve of their tile. */
  order: Int32Array;
  /** The row of each cell. */
  rows: Int32Array;
  /** Rows along the other Hilbert curve, with x and y exchanged. */
  oddOrder: Int32Array;
  /** Where tiles begin and end; the same for rows and cells. */
  tiles: Int32Array;
  /** `[cells, 2]`, row by row, in micrometres. */
  points: Float64Array;
  /** Whom each row sees; distances in micrometres. */
  near: NearLists;
}

export interface ArrangementOptions {
  /** How far a cell sees, in micrometres. Default 64. */
  radius?: number;
  /** How many other cells it sees at most: the nearest. Default 64. */
  neighbours?: number;
  /** `'near'` (default), or `'all'`: in tiles of at most 2048 cells every cell sees all. */
  attention?: 'near' | 'all';
}

/** In larger tiles, `'all'` would cost more than it tells. */
const ALL_UP_TO = 2048;

export const inverse = (order: Int32Array): Int32Array => {
  const places = new Int32Array(order.length);
  order.forEach((from, to) => {
    places[from] = to;
  });
  return places;
};

function byTile(points: Float64Array, tiles: Int32Array, swapped: boolean): Int32Array {
  const order = new Int32Array(points.length / 2);
  for (let tile = 0; tile + 1 < tiles.length; tile++) {
    const [first, end] = [tiles[tile] as number, tiles[tile + 1] as number];
    order.set(hilbertOrder(points, first, end, swapped), first);
  }
  return order;
}

/**
 * Orders the cells of each tile along the Hilbert curve and finds their neighbours.
 *
 * @param positions `[cells, 2]`: x and y of the centroids in micrometres
 * @param tiles where tiles begin and end, `[tiles + 1]`; default: one tile. Cells of a tile come by rising id, which decides ties.
 * @throws UamError `UAM_DATA` for positions that are not finite; `UAM_SHAPE`, `UAM_ARGUMENT`
 * @example
 * const { order } = arrange(Float64Array.of(9, 9, 0, 0, 1, 0));   // three cells
 * order;   // 1, 2, 0: from the one at the origin to the far one
 */
export function arrange(
  positions: Float64Array,
  tiles: Int32Array = Int32Array.of(0, positions.length / 2),
  { radius = 64, neighbours = 64, attention = 'near' }: ArrangementOptions = {},
): Arrangement {
  const cells = positions.length / 2;
  const rising = tiles.every((at, i) => at >= (i === 0 ? 0 : (tiles[i - 1] as number)));
  if (tiles.length === 0 || tiles[0] !== 0 || tiles.at(-1) !== cells || !rising) {
    throw mismatch('UAM_SHAPE', 'tiles', `rising numbers from 0 to ${cells}, the number of cells`, `[${tiles.subarray(0, 8).join(', ')}]`);
  }
  const bad = positions.findIndex((value) => !(Math.abs(value) < 1e9));
  if (bad >= 0)
    throw new UamError('UAM_DATA', `the position of cell ${bad >> 1} is ${positions[bad]}; micrometres below 1e9 were expected`);
  if (!(radius > 0 && radius < 1e6)) throw mismatch('UAM_ARGUMENT', 'radius', 'a number above 0', String(radius));
  if (!(Number.isInteger(neighbours) && neighbours >= 1))
    throw mismatch('UAM_ARGUMENT', 'neighbours', 'an integer >= 1', String(neighbours));
  if (attention !== 'near' && attention !== 'all') throw mismatch('UAM_ARGUMENT', 'attention', 'near or all', String(attention));
  const order = byTile(positions, tiles, false);
  const rows = inverse(order);
  const points = new Float64Array(positions.length);
  order.forEach((cell, row) => {
    points[2 * row] = positions[2 * cell] as number;
    points[2 * row + 1] = positions[2 * cell + 1] as number;
  });
  const oddOrder = byTile(positions, tiles, true).map((cell) => rows[cell] as number);
  const near = nearLists(points, tiles, order, { radius, most: neighbours, allUpTo: attention === 'all' ? ALL_UP_TO : 0 });
  return { order, rows, oddOrder, tiles, points, near };
}
