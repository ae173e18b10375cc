// Fewer points for outlines along pixels, without rings that cross.

/** Work in pieces of a few milliseconds: each `yield` is a moment in which others may have their turn. */
export type Pieces<T> = Generator<void, T, void>;

/** Points, or pairs of segments, worked on in one piece. */
const PIECE = 1 << 14;

/** Pixels of a side of the squares by which segments that may meet are found. */
const SQUARE = 32;

/** A ring and which of its points stay. */
interface Kept {
  ring: Int32Array;
  stays: Uint8Array;
}

/** A side of a simplified ring: its points `from` and `to`, and those between them that were left out. */
interface Side {
  kept: Kept;
  from: number;
  to: number;
  /** Where the side before it begins: the two share a point, and may. */
  before: Side | undefined;
}

/** The distance, squared, of point `k` of a ring from the segment between two others. */
function distance(ring: Int32Array, k: number, from: number, to: number): number {
  const [ax, ay] = [ring[2 * from] as number, ring[2 * from + 1] as number];
  const [dx, dy] = [(ring[2 * to] as number) - ax, (ring[2 * to + 1] as number) - ay];
  const [px, py] = [(ring[2 * k] as number) - ax, (ring[2 * k + 1] as number) - ay];
  const length = dx * dx + dy * dy;
  const t = length > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
  return (px - t * dx) ** 2 + (py - t * dy) ** 2;
}

/** The point between two (the ring goes on from its end to its beginning) that is farthest from the segment: the first of equals. */
function farthest(ring: Int32Array, from: number, to: number): { at: number; squared: number } {
  const count = ring.length / 2;
  let [at, squared] = [-1, -1];
  for (let k = (from + 1) % count; k !== to; k = (k + 1) % count) {
    const here = distance(ring, k, from, to);
    if (here > squared) [at, squared] = [k, here];
  }
  return { at, squared };
}

/** Douglas and Peucker (Cartographica, 1973): of the points between two, those stay without which the line would move too far. */
function* thin({ ring, stays }: Kept, from: number, to: number, squaredTolerance: number): Pieces<void> {
  const waiting: [number, number][] = [[from, to]];
  const count = stays.length;
  let work = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { at, squared } = farthest(ring, ...next);
    if (at >= 0 && squared > squaredTolerance) {
      stays[at] = 1;
      waiting.push([at, next[1]], [next[0], at]);
    }
    work += (next[1] - next[0] + count) % count;
    if (work > PIECE) {
      work = 0;
      yield;
    }
  }
}

/** A first choice: the ring's first point, the one farthest from it, and on each way between them at least the one that stands out most. */
function* begin(ring: Int32Array, squaredTolerance: number): Pieces<Kept> {
  const kept = { ring, stays: new Uint8Array(ring.length / 2) };
  const opposite = farthest(ring, 0, 0).at;
  for (const [from, to] of [
    [0, opposite],
    [opposite, 0],
  ] as const) {
    kept.stays[from] = 1;
    const { at } = farthest(ring, from, to);
    if (at < 0) continue;
    kept.stays[at] = 1;
    yield* thin(kept, from, at, squaredTolerance);
    yield* thin(kept, at, to, squaredTolerance);
  }
  return kept;
}

function sidesOf(kept: Kept): Side[] {
  const places = Array.from(kept.stays.keys()).filter((k) => kept.stays[k] === 1);
  const sides = places.map((from, i): Side => ({ kept, from, to: places[(i + 1) % places.length] as number, before: undefined }));
  sides.forEach((side, i) => {
    side.before = sides.at(i - 1);
  });
  return sides;
}

const x1 = ({ kept, from }: Side): number => kept.ring[2 * from] as number;
const y1 = ({ kept, from }: Side): number => kept.ring[2 * from + 1] as number;
const x2 = ({ kept, to }: Side): number => kept.ring[2 * to] as number;
const y2 = ({ kept, to }: Side): number => kept.ring[2 * to + 1] as number;

/** The squares that a side passes, by one number each. */
function* squaresOf(side: Side): Generator<number> {
  let [ax, ay, bx, by] = [x1(side), y1(side), x2(side), y2(side)];
  if (ax > bx) [ax, ay, bx, by] = [bx, by, ax, ay];
  const slope = bx > ax ? (by - ay) / (bx - ax) : 0;
  for (let column = Math.floor(ax / SQUARE); column <= Math.floor(bx / SQUARE); column++) {
    const left = bx > ax ? ay + slope * (Math.max(ax, column * SQUARE) - ax) : ay;
    const right = bx > ax ? ay + slope * (Math.min(bx, (column + 1) * SQUARE) - ax) : by;
    // A little more than it passes: what lies on a border belongs to both.
    const [low, high] = [Math.min(left, right) - 0.5, Math.max(left, right) + 0.5];
    for (let row = Math.floor(low / SQUARE); row <= Math.floor(high / SQUARE); row++) yield row * 2 ** 26 + column;
  }
}

/** Where point p lies of the line through a and b: positive, negative, or 0 on it. Exact: coordinates are whole. */
const turnOf = (ax: number, ay: number, bx: number, by: number, px: number, py: number): number =>
  Math.sign((bx - ax) * (py - ay) - (by - ay) * (px - ax));

/** Whether two sides have any point in common; of neighbours in a ring, any but the one between them. */
function meet(p: Side, q: Side): boolean {
  if (q.before === p || p.before === q) {
    const [first, second] = q.before === p ? [p, q] : [q, p];
    const back = (x1(first) - x2(first)) * (x2(second) - x1(second)) + (y1(first) - y2(first)) * (y2(second) - y1(second)) > 0;
    return back && turnOf(x1(first), y1(first), x2(first), y2(first), x2(second), y2(second)) === 0;
  }
  const [ax, ay, bx, by, cx, cy, dx, dy] = [x1(p), y1(p), x2(p), y2(p), x1(q), y1(q), x2(q), y2(q)];
  if (Math.max(ax, bx) < Math.min(cx, dx) || Math.max(cx, dx) < Math.min(ax, bx)) return false;
  if (Math.max(ay, by) < Math.min(cy, dy) || Math.max(cy, dy) < Math.min(ay, by)) return false;
  return (
    turnOf(ax, ay, bx, by, cx, cy) * turnOf(ax, ay, bx, by, dx, dy) <= 0 &&
    turnOf(cx, cy, dx, dy, ax, ay) * turnOf(cx, cy, dx, dy, bx, by) <= 0
  );
}

/** The sides with points left out that meet others. */
function* meeting(sides: readonly Side[]): Pieces<Set<Side>> {
  const squares = new Map<number, Side[]>();
  const found = new Set<Side>();
  const isShort = ({ kept, from, to }: Side) => (from + 1) % kept.stays.length === to;
  let work = 0;
  for (const side of sides) {
    const short = isShort(side);
    for (const square of squaresOf(side)) {
      const there = squares.get(square);
      if (!there) squares.set(square, [side]);
      else {
        for (const other of there) {
          work++;
          if (short && isShort(other)) continue; // as in the mask: such sides may touch where pixels do
          if (!meet(side, other)) continue;
          if (!short) found.add(side);
          if (!isShort(other)) found.add(other);
        }
        there.push(side);
      }
      if (work++ > PIECE) {
        work = 0;
        yield;
      }
    }
  }
  return found;
}

/**
 * Simplifies the rings of one polygon: no point of the given outlines lies farther than the tolerance from the new ones, and as long as
 * rings met nowhere but at corners of pixels, they do so still. Where Douglas and Peucker's method alone would make sides meet, points
 * come back until they do not. Every ring keeps three points or more.
 *
 * @param rings x and y in turn, whole numbers, not closed
 * @param tolerance in pixels; 0 changes nothing
 */
export function* simplifyRings(rings: readonly Int32Array[], tolerance: number): Pieces<Int32Array[]> {
  if (tolerance === 0) return [...rings];
  const squaredTolerance = tolerance ** 2;
  const all: Kept[] = [];
  for (const ring of rings) all.push(yield* begin(ring, squaredTolerance));
  for (;;) {
    const found = yield* meeting(all.flatMap(sidesOf));
    if (found.size === 0) break;
    for (const { kept, from, to } of found) {
      const { at } = farthest(kept.ring, from, to);
      kept.stays[at] = 1;
      yield* thin(kept, from, at, squaredTolerance);
      yield* thin(kept, at, to, squaredTolerance);
    }
  }
  return all.map(({ ring, stays }) => ring.filter((_, i) => stays[i >> 1] === 1));
}
