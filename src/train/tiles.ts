export interface TileOptions {
  /** The longest side of a tile, in micrometres. Default 512. */
  size?: number;
  /** The most cells in a tile. Default 2048. */
  most?: number;
}

/** Rows of `cells`, halved across the longer side of the box that holds them until none has more than `most`. */
function halved(positions: Float64Array, cells: Int32Array, most: number): Int32Array[] {
  if (cells.length <= most) return [cells];
  const side = (axis: number) => {
    const places = Float64Array.from(cells, (cell) => positions[2 * cell + axis] as number);
    return places.reduce((high, at) => Math.max(high, at), -Infinity) - places.reduce((low, at) => Math.min(low, at), Infinity);
  };
  const axis = side(0) >= side(1) ? 0 : 1;
  const along = (cell: number) => positions[2 * cell + axis] as number;
  const sorted = cells.slice().sort((a, b) => along(a) - along(b) || a - b);
  const middle = sorted.length >> 1;
  return [sorted.slice(0, middle), sorted.slice(middle)].flatMap((half) => halved(positions, half.sort(), most));
}

/**
 * Cuts a field of cells into tiles, which are the sequences of cell tokens: an even grid of squares of at most `size`, and where a
 * square holds more than `most` cells, halves of it. What fits into one tile stays whole.
 *
 * @param positions `[cells, 2]` in micrometres
 * @returns rows of the cells of each tile, rising; every cell lies in one tile; no tile is empty
 */
export function tilesOf(positions: Float64Array, { size = 512, most = 2048 }: TileOptions = {}): Int32Array[] {
  const count = positions.length / 2;
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  positions.forEach((value, i) => {
    low[i % 2] = Math.min(low[i % 2] as number, value);
    high[i % 2] = Math.max(high[i % 2] as number, value);
  });
  const extent = [0, 1].map((axis) => (high[axis] as number) - (low[axis] as number));
  const parts = extent.map((length) => Math.max(1, Math.ceil(length / size)));
  const place = (cell: number, axis: 0 | 1) => {
    const share = ((positions[2 * cell + axis] as number) - (low[axis] as number)) / ((extent[axis] as number) || 1);
    return Math.min((parts[axis] as number) - 1, Math.floor(share * (parts[axis] as number)));
  };
  const squares = new Map<number, number[]>();
  for (let cell = 0; cell < count; cell++) {
    const key = place(cell, 1) * (parts[0] as number) + place(cell, 0);
    const list = squares.get(key);
    if (list) list.push(cell);
    else squares.set(key, [cell]);
  }
  const inOrder = [...squares].sort(([a], [b]) => a - b);
  return inOrder.flatMap(([, cells]) => halved(positions, Int32Array.from(cells), most));
}
