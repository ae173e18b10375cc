// Outlines of regions in a mask whose rows come one after the other: only what is still open is held.

/** One region: all pixels of a value that hang together over their sides. */
export interface TracedRegion {
  /** The value of its pixels. */
  value: number;
  /** How many pixels it has, its holes left out. */
  pixels: number;
  /**
   * Corners of pixels, x and y in turn, not closed: first the outer ring, clockwise on the screen, then the holes, counterclockwise, in
   * the order of their uppermost, then leftmost corner, with which each ring begins. No ring touches itself.
   */
  rings: Int32Array[];
}

/** What of a region has been seen; regions that turn out to be one are put together. */
interface Piece {
  joined: Piece | undefined;
  pixels: number;
  rings: Int32Array[];
  /** The last row in which it was seen. */
  row: number;
  done: boolean;
}

interface Run {
  from: number;
  to: number;
  value: number;
  piece: Piece;
}

function rootOf(piece: Piece): Piece {
  let root = piece;
  while (root.joined) root = root.joined;
  while (piece.joined) [piece.joined, piece] = [root, piece.joined];
  return root;
}

function join(a: Piece, b: Piece): Piece {
  const [one, other] = [rootOf(a), rootOf(b)];
  if (one === other) return one;
  const [kept, gone] = one.rings.length >= other.rings.length ? [one, other] : [other, one];
  for (const ring of gone.rings) kept.rings.push(ring);
  kept.pixels += gone.pixels;
  kept.row = Math.max(kept.row, gone.row);
  gone.rings = [];
  gone.joined = kept;
  return kept;
}

interface Point {
  x: number;
  y: number;
  next: Point | undefined;
}

/** A part of an outline, the region on its right hand, from its tail to its head: both wait to be continued. */
interface Way {
  first: Point;
  last: Point;
  /** Where the ends wait: the x of an upright edge of the last row, or `LEVEL`. */
  head: number;
  tail: number;
  /** It has passed a corner at which two pixels of its region touch: its ring may touch itself there. */
  pinched: boolean;
}

/** On the level edge that leads to the next corner of the row. */
const LEVEL = -1;

const N = 0;
const E = 1;
const S = 2;
const W = 3;

/**
 * How outlines pass a corner, by which of the four pixels about it (above left 1, above right 2, below left 4, below right 8) are of the
 * region: the sides that they come from and leave by. Where two pixels touch at the corner only, each has its own way around it.
 */
const PASSAGES: readonly (readonly (readonly [from: number, to: number])[])[] = Object.freeze([
  [],
  [[N, W]],
  [[E, N]],
  [[E, W]],
  [[W, S]],
  [[N, S]],
  [
    [E, N],
    [W, S],
  ],
  [[E, S]],
  [[S, E]],
  [
    [N, W],
    [S, E],
  ],
  [[S, N]],
  [[S, W]],
  [[W, E]],
  [[N, E]],
  [[W, N]],
  [],
] as const); // prettier-ignore

/**
 * Follows the outlines of all values but 0 through a mask, row by row. What is held goes with the width and with the regions that are
 * still open, not with the height; what comes out does not depend on anything but the rows.
 */
export class RegionTracer {
  readonly #above: Uint8Array;
  #row = 0;
  #runs: Run[] = [];
  /** Ways that end on the upright edge left of pixel x of the last row: the head of one going down, the tail of one coming up. */
  readonly #heads: (Way | undefined)[];
  readonly #tails: (Way | undefined)[];
  /** The same on the level edge between two corners of a row. */
  #levelHead: Way | undefined;
  #levelTail: Way | undefined;

  /** @param width pixels per row */
  constructor(width: number) {
    this.#above = new Uint8Array(width);
    this.#heads = new Array(width + 1).fill(undefined);
    this.#tails = new Array(width + 1).fill(undefined);
  }

  /** Takes the next row and returns the regions that ended above it, from the left. */
  row(below: Uint8Array): TracedRegion[] {
    const y = this.#row++;
    const before = this.#runs;
    if (Buffer.compare(this.#above, below) === 0) {
      for (const { piece, from, to } of before) seen(rootOf(piece), to - from, y);
      return [];
    }
    this.#runs = runsOf(below, before, y);
    this.#outline(below, before, y);
    this.#above.set(below);
    const ended: TracedRegion[] = [];
    for (const { piece, value } of before) {
      const root = rootOf(piece);
      if (root.row === y || root.done) continue;
      root.done = true;
      ended.push({ value, pixels: root.pixels, rings: outerFirst(root.rings) });
    }
    return ended;
  }

  /** The regions that end with the mask. */
  finish(): TracedRegion[] {
    return this.row(new Uint8Array(this.#above.length));
  }

  /** Passes the corners between the last row and the next that any level edge comes to; elsewhere outlines run straight down. */
  #outline(below: Uint8Array, before: readonly Run[], y: number): void {
    const above = this.#above;
    let [a, c] = [0, 0];
    for (let x = 0; x <= above.length; x++) {
      const b = x < above.length ? (above[x] as number) : 0;
      const d = x < above.length ? (below[x] as number) : 0;
      if (a !== c || b !== d) this.#corner(x, y, [a, b, c, d], before);
      [a, c] = [b, d];
    }
  }

  #corner(x: number, y: number, pixels: readonly [number, number, number, number], before: readonly Run[]): void {
    // What waits here, by the side on which it does, before anything new is put in its place.
    const heads = [this.#heads[x], undefined, undefined, this.#levelHead];
    const tails = [this.#tails[x], undefined, undefined, this.#levelTail];
    this.#heads[x] = this.#tails[x] = this.#levelHead = this.#levelTail = undefined;
    const [a, b, c, d] = pixels;
    for (let i = 0; i < 4; i++) {
      const value = pixels[i] as number;
      if (value === 0 || pixels.indexOf(value) < i) continue;
      const which = (a === value ? 1 : 0) + (b === value ? 2 : 0) + (c === value ? 4 : 0) + (d === value ? 8 : 0);
      const passages = PASSAGES[which] as (typeof PASSAGES)[number];
      for (const [from, to] of passages) {
        const way = this.#pass(x, y, heads[from], tails[to], from, to);
        if (passages.length === 2) way.pinched = true;
        if (heads[from] && heads[from] === tails[to]) {
          const piece = pieceAt(before, from === N ? x - 1 : x);
          for (const ring of ringsOf(way)) piece.rings.push(ring);
        }
      }
    }
  }

  /** Leads an outline around a corner: the way that comes there from a side, if it has been met before, and the way that leaves. */
  #pass(x: number, y: number, coming: Way | undefined, leaving: Way | undefined, from: number, to: number): Way {
    const turn = from % 2 !== to % 2;
    if (!coming && !leaving) {
      const point = { x, y, next: undefined };
      const way = { first: point, last: point, head: 0, tail: 0, pinched: false };
      this.#waitHead(way, to === S ? x : LEVEL);
      this.#waitTail(way, from === S ? x : LEVEL);
      return way;
    }
    if (!coming) {
      const way = leaving as Way;
      if (turn) way.first = { x, y, next: way.first };
      this.#waitTail(way, from === S ? x : LEVEL);
      return way;
    }
    if (turn) coming.last = coming.last.next = { x, y, next: undefined };
    if (!leaving) this.#waitHead(coming, to === S ? x : LEVEL);
    else if (coming !== leaving) {
      coming.last.next = leaving.first;
      coming.last = leaving.last;
      coming.pinched ||= leaving.pinched;
      this.#waitHead(coming, leaving.head);
    }
    return coming;
  }

  #waitHead(way: Way, at: number): void {
    way.head = at;
    if (at === LEVEL) this.#levelHead = way;
    else this.#heads[at] = way;
  }

  #waitTail(way: Way, at: number): void {
    way.tail = at;
    if (at === LEVEL) this.#levelTail = way;
    else this.#tails[at] = way;
  }
}

function seen(piece: Piece, pixels: number, row: number): void {
  piece.pixels += pixels;
  piece.row = row;
}

/** The runs of equal values of a row, each with its piece: that of the runs above that it touches, which become one. */
function runsOf(row: Uint8Array, before: readonly Run[], y: number): Run[] {
  const runs: Run[] = [];
  let above = 0;
  for (let from = 0; from < row.length; ) {
    const value = row[from] as number;
    let to = from + 1;
    while (to < row.length && row[to] === value) to++;
    if (value !== 0) {
      let piece: Piece | undefined;
      while (above < before.length && (before[above] as Run).to <= from) above++;
      for (let k = above; k < before.length && (before[k] as Run).from < to; k++) {
        const other = before[k] as Run;
        if (other.value === value) piece = piece ? join(piece, other.piece) : rootOf(other.piece);
      }
      piece ??= { joined: undefined, pixels: 0, rings: [], row: y, done: false };
      seen(piece, to - from, y);
      runs.push({ from, to, value, piece });
    }
    from = to;
  }
  return runs;
}

/** The piece of the run that holds a column. */
function pieceAt(runs: readonly Run[], column: number): Piece {
  let [low, high] = [0, runs.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle] as Run).to > column) high = middle;
    else low = middle + 1;
  }
  return rootOf((runs[low] as Run).piece);
}

/** A closed way as rings that do not touch themselves: it is cut where it comes back to a corner. */
function ringsOf({ first, pinched }: Way): Int32Array[] {
  const walk: number[] = [];
  for (let point: Point | undefined = first; point; point = point.next) walk.push(point.x, point.y);
  if (!pinched) return [Int32Array.from(walk)];
  const rings: Int32Array[] = [];
  const passed = new Map<number, number>(); // corner to its place in the part of the walk that is still open
  const open: number[] = [];
  for (let i = 0; i < walk.length; i += 2) {
    const [x, y] = [walk[i] as number, walk[i + 1] as number];
    const before = passed.get(y * 2 ** 26 + x);
    if (before !== undefined) {
      const ring = open.splice(before);
      for (let k = 0; k < ring.length; k += 2) passed.delete((ring[k + 1] as number) * 2 ** 26 + (ring[k] as number));
      rings.push(Int32Array.from(ring));
    }
    passed.set(y * 2 ** 26 + x, open.length);
    open.push(x, y);
  }
  rings.push(Int32Array.from(open));
  return rings;
}

/** Twice the signed area of a ring: positive where it runs clockwise on the screen, as outer rings do. */
export function twiceArea(ring: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
    sum += (ring[j] as number) * (ring[i + 1] as number) - (ring[i] as number) * (ring[j + 1] as number);
  }
  return sum;
}

/** The outer ring, then the holes by their first corners; each ring begins with its uppermost, then leftmost corner. */
function outerFirst(rings: readonly Int32Array[]): Int32Array[] {
  const turned = rings.map((ring) => {
    let start = 0;
    for (let i = 2; i < ring.length; i += 2) {
      const lower = (ring[i + 1] as number) - (ring[start + 1] as number);
      if (lower < 0 || (lower === 0 && (ring[i] as number) < (ring[start] as number))) start = i;
    }
    const out = new Int32Array(ring.length);
    out.set(ring.subarray(start));
    out.set(ring.subarray(0, start), ring.length - start);
    return out;
  });
  const hole = new Map(turned.map((ring) => [ring, twiceArea(ring) < 0]));
  return turned.sort(
    (p, q) => Number(hole.get(p)) - Number(hole.get(q)) || (p[1] as number) - (q[1] as number) || (p[0] as number) - (q[0] as number),
  );
}
