/** Bits per coordinate. */
const BITS = 16;

/** The place of a point on the Hilbert curve through the 2^16 x 2^16 grid (Hilbert 1891): near on the curve is near in the plane. */
export function hilbertIndex(column: number, row: number): number {
  let x = column;
  let y = row;
  let index = 0;
  for (let side = 2 ** (BITS - 1); side >= 1; side /= 2) {
    const right = x >= side ? 1 : 0;
    const lower = y >= side ? 1 : 0;
    index += side * side * ((3 * right) ^ lower);
    x -= right * side;
    y -= lower * side;
    if (lower === 0) {
      if (right === 1) {
        x = side - 1 - x;
        y = side - 1 - y;
      }
      [x, y] = [y, x];
    }
  }
  return index;
}

/** Tiles up to this many micrometres wide share one grid, of 1/16 um; larger ones have a coarser grid of their own. */
const GRID_EXTENT = 4096;

/** A place of 32 bits and an index of 21 fit into a float64. */
const PLACES_PER_KEY = 2 ** 21;

/**
 * The points of a tile in the order of the Hilbert curve, ties by index.
 *
 * @param points `[n, 2]` in micrometres, finite
 * @param first the tile's first point
 * @param end behind its last
 * @param swapped exchanges x and y: the curve turned about the diagonal
 * @returns indices from `first` to `end - 1`
 */
export function hilbertOrder(points: Float64Array, first: number, end: number, swapped: boolean): Int32Array {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let extent = GRID_EXTENT;
  for (const axis of [0, 1]) {
    let high = Number.NEGATIVE_INFINITY;
    for (let i = first; i < end; i++) {
      low[axis] = Math.min(low[axis] as number, points[2 * i + axis] as number);
      high = Math.max(high, points[2 * i + axis] as number);
    }
    extent = Math.max(extent, high - (low[axis] as number));
  }
  const steps = 2 ** BITS;
  const onGrid = (i: number, axis: number) =>
    Math.min(steps - 1, Math.floor(((points[2 * i + axis] as number) - (low[axis] as number)) * (steps / extent)));
  const keys = new Float64Array(end - first);
  for (let i = first; i < end; i++) {
    const [x, y] = [onGrid(i, 0), onGrid(i, 1)];
    keys[i - first] = swapped ? hilbertIndex(y, x) : hilbertIndex(x, y);
  }
  if (keys.length <= PLACES_PER_KEY) {
    // Place on the curve and index in one number: numbers alone are sorted much faster than by a function.
    keys.forEach((key, i) => {
      keys[i] = key * PLACES_PER_KEY + i;
    });
    return Int32Array.from(keys.sort(), (key) => (key % PLACES_PER_KEY) + first);
  }
  return Int32Array.from(keys.keys())
    .sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b)
    .map((i) => i + first);
}
