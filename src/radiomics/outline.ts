// The outline of a region: the plain definitions that the shape classes share. native/outline.h is their fast twin.
import type { RoiMask } from './roi.js';

export interface Point {
  x: number;
  y: number;
}

/** The pixels of one region: their centres in pixels of the image, in rows, and whether a place is one of them. */
export interface Region {
  pixels: Point[];
  inside(x: number, y: number): boolean;
}

/** Region `r` of a kernel's input. */
export function gatherRegion(mask: RoiMask, r: number): Region {
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = mask.boxes.subarray(4 * r, 4 * r + 4);
  const inside = (x: number, y: number) => x >= x0 && x < x1 && y >= y0 && y < y1 && mask.labels[y * mask.width + x] === mask.ids[r];
  const pixels: Point[] = [];
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) if (inside(x, y)) pixels.push({ x, y });
  return { pixels, inside };
}

/** A step of an outline, in pixels. The region lies to its right as seen on the screen. */
export type Segment = readonly [from: Point, to: Point];

/**
 * The marching-squares outline of a region: in each square between four pixel centres, segments between the middles of those
 * sides whose ends differ. Where two pixels touch by a corner alone, `joined` says whether the outline goes round both (as
 * 8-connected parts) or each (as PyRadiomics does).
 */
export function outlineSegments(region: Region, joined: boolean): Segment[] {
  const corners = new Map<string, Point>(); // top left pixel of each square that the region touches
  for (const { x, y } of region.pixels) {
    for (const [dx, dy] of [
      [-1, -1],
      [0, -1],
      [-1, 0],
      [0, 0],
    ] as const)
      corners.set(`${x + dx},${y + dy}`, { x: x + dx, y: y + dy });
  }
  return [...corners.values()].flatMap(({ x, y }) => {
    const inside = [region.inside(x, y), region.inside(x + 1, y), region.inside(x + 1, y + 1), region.inside(x, y + 1)];
    const middles = [
      { x: x + 0.5, y },
      { x: x + 1, y: y + 0.5 },
      { x: x + 0.5, y: y + 1 },
      { x, y: y + 0.5 },
    ];
    const leaves = (k: number) => inside[k % 4] && !inside[(k + 1) % 4]; // clockwise along side k
    const enters = (k: number) => !inside[k % 4] && inside[(k + 1) % 4];
    const turns = joined ? [1, 2, 3] : [3, 2, 1]; // to the next such side, or back to the one before
    return [0, 1, 2, 3].filter(leaves).map((k): Segment => {
      const end = turns.map((turn) => (k + turn) % 4).find(enters) as number;
      return [middles[k] as Point, middles[end] as Point];
    });
  });
}

/** The area that closed segments go round, in pixels: holes count against it. */
export const areaWithin = (segments: readonly Segment[]): number => segments.reduce((sum, [a, b]) => sum + (a.x * b.y - b.x * a.y) / 2, 0);

/** Distance in units of the spacing. */
export const distance = (a: Point, b: Point, [sx, sy]: readonly [number, number]): number => Math.hypot((a.x - b.x) * sx, (a.y - b.y) * sy);

export const perimeterOf = (segments: readonly Segment[], spacing: readonly [number, number]): number =>
  segments.reduce((sum, [a, b]) => sum + distance(a, b, spacing), 0);

/** The largest distance between two of the points. */
export function diameterOf(points: readonly Point[], spacing: readonly [number, number]): number {
  let longest = 0;
  for (const a of points) for (const b of points) longest = Math.max(longest, distance(a, b, spacing));
  return longest;
}

/** Population covariance of the pixel centres and its eigenvalues. */
export function spreadOf(pixels: readonly Point[], [sx, sy]: readonly [number, number]) {
  const mean = (of: (pixel: Point) => number) => pixels.reduce((sum, pixel) => sum + of(pixel), 0) / pixels.length;
  const centre = { x: mean(({ x }) => x), y: mean(({ y }) => y) };
  const xx = mean(({ x }) => (x - centre.x) ** 2) * sx * sx;
  const xy = mean(({ x, y }) => (x - centre.x) * (y - centre.y)) * sx * sy;
  const yy = mean(({ y }) => (y - centre.y) ** 2) * sy * sy;
  const root = Math.hypot((xx - yy) / 2, xy);
  return { centre, xx, xy, yy, major: Math.max((xx + yy) / 2 + root, 0), minor: Math.max((xx + yy) / 2 - root, 0) };
}

/** The closed contours that segments make up: each a list of segments in turn. Those round holes enclose a negative area. */
export function contoursOf(segments: readonly Segment[]): Segment[][] {
  const key = ({ x, y }: Point) => `${x},${y}`;
  const leaving = new Map(segments.map((segment) => [key(segment[0]), segment]));
  const contours: Segment[][] = [];
  for (const [start] of segments) {
    const contour: Segment[] = [];
    for (let next = leaving.get(key(start)); next; next = leaving.get(key(next[1]))) {
      leaving.delete(key(next[0]));
      contour.push(next);
    }
    if (contour.length > 0) contours.push(contour);
  }
  return contours;
}

/** Pixels that the background cannot reach from outside by steps along the axes. */
export function filledPixels(region: Region): number {
  const range = (values: number[]) => [Math.min(...values) - 1, Math.max(...values) + 1] as const;
  const [left, right] = range(region.pixels.map(({ x }) => x));
  const [top, bottom] = range(region.pixels.map(({ y }) => y));
  const reached = new Set([`${left},${top}`]);
  const waiting: Point[] = [{ x: left, y: top }];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      const [x, y] = [at.x + dx, at.y + dy];
      if (x < left || x > right || y < top || y > bottom || region.inside(x, y) || reached.has(`${x},${y}`)) continue;
      reached.add(`${x},${y}`);
      waiting.push({ x, y });
    }
  }
  return (right - left + 1) * (bottom - top + 1) - reached.size;
}

/** Twice the area of the triangle a b c, positive where it turns clockwise on the screen. */
const turn = (a: Point, b: Point, c: Point): number => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

/** The corners of the convex hull, clockwise on the screen. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  const chain = (ordered: Point[]) => {
    const corners: Point[] = [];
    for (const point of ordered) {
      while (corners.length >= 2 && turn(corners.at(-2) as Point, corners.at(-1) as Point, point) <= 0) corners.pop();
      corners.push(point);
    }
    return corners.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}

/** The least distance between two parallel lines that hold the hull between them: one of them lies along a side. */
export function leastWidth(corners: readonly Point[], [sx, sy]: readonly [number, number]): number {
  const widths = corners.map((a, i) => {
    const b = corners[(i + 1) % corners.length] as Point;
    return (Math.max(...corners.map((c) => turn(a, b, c))) * sx * sy) / distance(a, b, [sx, sy]);
  });
  return Math.min(...widths);
}
