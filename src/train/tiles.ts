export interface TileOptions {
  /** The longest side of a tile, in micrometres. Default 512. */
  size?: number;
  /** The most cells in a tile. Default 2048. */
  most?: number;
}

/** Rows of `cells`, halved across the longer side of the box that holds them until none has more than `most`. */
function halved(positions: Float64Array, cells: Int32Array, most: number): Int32Array[] {
  if (cells.length <= most) return [cells];
  const { extent } = boxOf(
    Float64Array.from({ length: 2 * cells.length }, (_, i) => positions[2 * (cells[i >> 1] as number) + (i & 1)] as number),
  );
  const axis = extent[0] >= extent[1] ? 0 : 1;
  const along = (cell: number) => positions[2 * cell + axis] as number;
  const sorted = cells.slice().sort((a, b) => along(a) - along(b) || a - b);
  const middle = sorted.length >> 1;
  return [sorted.slice(0, middle), sorted.slice(middle)].flatMap((half) => halved(positions, half.sort(), most));
}

/** The box that holds all places: its lowest corner, and its sides. */
export function boxOf(positions: Float64Array): { low: [number, number]; extent: [number, number] } {
  const low: [number, number] = [Infinity, Infinity];
  const high: [number, number] = [-Infinity, -Infinity];
  for (let at = 0; at < positions.length; at++) {
    const axis = (at & 1) as 0 | 1;
    const place = positions[at] as number;
    if (place < low[axis]) low[axis] = place;
    if (place > high[axis]) high[axis] = place;
  }
  return { low, extent: [high[0] - low[0], high[1] - low[1]] };
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
  const { low, extent } = boxOf(positions);
  const [wide, tall] = extent;
  const [columns, rows] = [Math.max(1, Math.ceil(wide / size)), Math.max(1, Math.ceil(tall / size))];
  const squareOf = (cell: number) => {
    const column = Math.floor((((positions[2 * cell] as number) - low[0]) / (wide || 1)) * columns);
    const row = Math.floor((((positions[2 * cell + 1] as number) - low[1]) / (tall || 1)) * rows);
    return Math.min(rows - 1, row) * columns + Math.min(columns - 1, column);
  };
  return bySquare(count, squareOf).flatMap((cells) => halved(positions, cells, most));
}

/** Cells of each square that has any, squares and cells rising. */
function bySquare(count: number, squareOf: (cell: number) => number): Int32Array[] {
  const squares = new Float64Array(count); // a wide field of few cells has more squares than an int32 counts
  const sizes = new Map<number, number>();
  for (let cell = 0; cell < count; cell++) {
    const square = squareOf(cell);
    squares[cell] = square;
    sizes.set(square, (sizes.get(square) ?? 0) + 1);
  }
  const lists = new Map([...sizes].sort(([a], [b]) => a - b).map(([square, size]) => [square, { cells: new Int32Array(size), next: 0 }]));
  for (let cell = 0; cell < count; cell++) {
    const list = lists.get(squares[cell] as number) as { cells: Int32Array; next: number };
    list.cells[list.next++] = cell;
  }
  return [...lists.values()].map(({ cells }) => cells);
}
