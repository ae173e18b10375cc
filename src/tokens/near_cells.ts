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

/** Finds whom the points of a tile see: those within a radius, at most `most` of them: the nearest, ties by rank. */
class Search {
  readonly #candidates: Int32Array;
  readonly #indices: Int32Array;
  readonly #squares: Float64Array;

  constructor(
    readonly points: Float64Array,
    readonly ranks: Int32Array,
    readonly radius: number,
    readonly most: number,
    tileSize: number,
  ) {
    this.#candidates = new Int32Array(tileSize);
    this.#indices = new Int32Array(tileSize);
    this.#squares = new Float64Array(tileSize);
  }

  collect(i: number, squares: Squares, edges: Edges): void {
    const { points, radius, most } = this;
    const count = squares.around(i, this.#candidates);
    const [x, y, limit] = [points[2 * i] as number, points[2 * i + 1] as number, radius * radius];
    let kept = 0;
    for (let c = 0; c < count; c++) {
      const j = this.#candidates[c] as number;
      const dx = (points[2 * j] as number) - x;
      const dy = (points[2 * j + 1] as number) - y;
      const square = dx * dx + dy * dy;
      if (square <= limit && j !== i) {
        this.#indices[kept] = j;
        this.#squares[kept++] = square;
      }
    }
    if (kept > most) this.#selectNearest(kept);
    edges.push(i, 0);
    for (let k = 0; k < Math.min(kept, most); k++) edges.push(this.#indices[k] as number, Math.sqrt(this.#squares[k] as number));
  }

  /** Brings the `most` nearest of the first `count` to the front, in no particular order (Hoare 1961). */
  #selectNearest(count: number): void {
    let first = 0;
    let last = count - 1;
    while (first < last) {
      const pivot = (first + last) >> 1;
      const [square, rank] = [this.#squares[pivot] as number, this.#rank(pivot)];
      let left = first;
      let right = last;
      while (left <= right) {
        while (this.#before(left, square, rank)) left++;
        while (this.#after(right, square, rank)) right--;
        if (left <= right) this.#exchange(left++, right--);
      }
      if (this.most <= right) last = right;
      else if (this.most >= left) first = left;
      else return;
    }
  }

  #rank(k: number): number {
    return this.ranks[this.#indices[k] as number] as number;
  }

  #before(k: number, square: number, rank: number): boolean {
    const own = this.#squares[k] as number;
    return own < square || (own === square && this.#rank(k) < rank);
  }

  #after(k: number, square: number, rank: number): boolean {
    const own = this.#squares[k] as number;
    return own > square || (own === square && this.#rank(k) > rank);
  }

  #exchange(a: number, b: number): void {
    const [index, square] = [this.#indices[a] as number, this.#squares[a] as number];
    this.#indices[a] = this.#indices[b] as number;
    this.#squares[a] = this.#squares[b] as number;
    this.#indices[b] = index;
    this.#squares[b] = square;
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
 * Whom each cell sees in its own tile: itself, and the others within the radius, the nearest where there are too many. The order within
 * a list follows from the points of the tile alone.
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
