/** Lists of neighbours: list i is indices[offsets[i]] to indices[offsets[i + 1] - 1]. */
export interface NearLists {
  /** `[n + 1]` */
  offsets: Int32Array;
  /** `[edges]` */
  indices: Int32Array;
  /** `[edges]`, in the unit of the points. */
  distances: Float32Array;
}

/** Typed arrays that grow. */
class Edges {
  indices = new Int32Array(1024);
  distances = new Float32Array(1024);
  count = 0;

  push(index: number, distance: number): void {
    if (this.count === this.indices.length) {
      const [indices, distances] = [this.indices, this.distances];
      this.indices = new Int32Array(2 * this.count);
      this.distances = new Float32Array(2 * this.count);
      this.indices.set(indices);
      this.distances.set(distances);
    }
    this.indices[this.count] = index;
    this.distances[this.count++] = distance;
  }
}

/** The points of one tile, sorted into squares as wide as the radius. */
class Squares {
  readonly #points: Float64Array;
  readonly #size: number;
  readonly #low: [number, number];
  readonly #columns: number;
  readonly #rows: number;
  readonly #starts: Int32Array;
  readonly #members: Int32Array;

  constructor(points: Float64Array, first: number, end: number, radius: number) {
    this.#points = points;
    const low: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const high: [number, number] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = first; i < end; i++) {
      for (const axis of [0, 1] as const) {
        low[axis] = Math.min(low[axis], points[2 * i + axis] as number);
        high[axis] = Math.max(high[axis], points[2 * i + axis] as number);
      }
    }
    this.#low = low;
    // Sparse points over a wide plane: no more squares than a few per point.
    const most = Math.max(1, Math.ceil(2 * Math.sqrt(end - first)));
    this.#size = Math.max(radius, (high[0] - low[0]) / most, (high[1] - low[1]) / most);
    this.#columns = 1 + Math.floor((high[0] - low[0]) / this.#size);
    this.#rows = 1 + Math.floor((high[1] - low[1]) / this.#size);
    const starts = new Int32Array(this.#columns * this.#rows + 1);
    for (let i = first; i < end; i++) starts[this.#squareOf(i) + 1]! += 1;
    for (let s = 0; s + 1 < starts.length; s++) starts[s + 1]! += starts[s] as number;
    const next = starts.slice();
    this.#members = new Int32Array(end - first);
    for (let i = first; i < end; i++) this.#members[next[this.#squareOf(i)]!++] = i;
    this.#starts = starts;
  }

  #place(i: number, axis: 0 | 1): number {
    return Math.floor(((this.#points[2 * i + axis] as number) - this.#low[axis]) / this.#size);
  }

  #squareOf(i: number): number {
    return this.#place(i, 1) * this.#columns + this.#place(i, 0);
  }

  /** Writes the points of the squares around point i into `found`, and returns how many they are. */
  around(i: number, found: Int32Array): number {
    const [column, row] = [this.#place(i, 0), this.#place(i, 1)];
    let count = 0;
    for (let y = Math.max(0, row - 1); y <= Math.min(this.#rows - 1, row + 1); y++) {
      const from = this.#starts[y * this.#columns + Math.max(0, column - 1)] as number;
      const to = this.#starts[y * this.#columns + Math.min(this.#columns - 1, column + 1) + 1] as number;
      for (let at = from; at < to; at++) found[count++] = this.#members[at] as number;
    }
    return count;
  }
}

/** The points of a tile within a radius of each, at most `most` of them: the nearest, ties by rank. */
class Search {
  readonly #found: Int32Array;
  readonly #keptIndex: Int32Array;
  readonly #keptSquare: Float64Array;

  constructor(
    readonly points: Float64Array,
    readonly ranks: Int32Array,
    readonly radius: number,
    readonly most: number,
    tileSize: number,
  ) {
    this.#found = new Int32Array(tileSize);
    this.#keptIndex = new Int32Array(most + 1);
    this.#keptSquare = new Float64Array(most + 1);
  }

  #nearer(square: number, index: number, than: number): boolean {
    const other = this.#keptSquare[than] as number;
    return square < other || (square === other && (this.ranks[index] as number) < (this.ranks[this.#keptIndex[than] as number] as number));
  }

  collect(i: number, squares: Squares, edges: Edges): void {
    const { points, radius, most } = this;
    const candidates = squares.around(i, this.#found);
    let kept = 0;
    for (let c = 0; c < candidates; c++) {
      const j = this.#found[c] as number;
      const dx = (points[2 * j] as number) - (points[2 * i] as number);
      const dy = (points[2 * j + 1] as number) - (points[2 * i + 1] as number);
      const square = dx * dx + dy * dy;
      if (j === i || !(square <= radius * radius) || (kept === most && !this.#nearer(square, j, kept - 1))) continue;
      let at = Math.min(kept, most - 1);
      if (kept < most) kept++;
      for (; at > 0 && this.#nearer(square, j, at - 1); at--) {
        this.#keptSquare[at] = this.#keptSquare[at - 1] as number;
        this.#keptIndex[at] = this.#keptIndex[at - 1] as number;
      }
      this.#keptSquare[at] = square;
      this.#keptIndex[at] = j;
    }
    edges.push(i, 0);
    for (let k = 0; k < kept; k++) edges.push(this.#keptIndex[k] as number, Math.sqrt(this.#keptSquare[k] as number));
  }
}

export interface NearOptions {
  /** How far a cell sees, in the unit of the points. */
  radius: number;
  /** How many others a cell sees at most: the nearest. */
  most: number;
  /** Tiles of at most this many cells: every cell sees all of its tile. */
  allUpTo: number;
}

/**
 * Whom each cell sees in its own tile: itself first, then the others within the radius by rising distance, ties by rank.
 *
 * @param points `[n, 2]`, finite
 * @param tiles where tiles begin and end, `[tiles + 1]`
 * @param ranks decides between cells at one distance, `[n]`
 */
export function nearLists(points: Float64Array, tiles: Int32Array, ranks: Int32Array, { radius, most, allUpTo }: NearOptions): NearLists {
  const n = points.length / 2;
  const offsets = new Int32Array(n + 1);
  const edges = new Edges();
  for (let tile = 0; tile + 1 < tiles.length; tile++) {
    const [first, end] = [tiles[tile] as number, tiles[tile + 1] as number];
    if (first === end) continue;
    const all = end - first <= allUpTo;
    const squares = all ? undefined : new Squares(points, first, end, radius);
    const search = squares && new Search(points, ranks, radius, most, end - first);
    for (let i = first; i < end; i++) {
      if (squares && search) search.collect(i, squares, edges);
      else {
        for (let j = first; j < end; j++) {
          const dx = (points[2 * j] as number) - (points[2 * i] as number);
          edges.push(j, Math.hypot(dx, (points[2 * j + 1] as number) - (points[2 * i + 1] as number)));
        }
      }
      offsets[i + 1] = edges.count;
    }
  }
  return { offsets, indices: edges.indices.slice(0, edges.count), distances: edges.distances.slice(0, edges.count) };
}
