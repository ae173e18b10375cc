import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';
import type { Cells } from './cells.js';
import { checkMask } from './label_mask.js';
import type { Polygons } from './polygons.js';

interface CellContoursParams {
  height: number;
  width: number;
  count: number;
  ring_capacity: number;
  point_capacity: number;
  labels: Uint32Array;
  ids: Uint32Array;
  points: Float64Array;
  ring_offsets: Int32Array;
  cell_offsets: Int32Array;
  totals: Float64Array;
}

type Corner = readonly [x: number, y: number];

const step: readonly Corner[] = [
  [0, -1],
  [1, 0],
  [0, 1],
  [-1, 0],
]; // prettier-ignore
const edgeEnd: readonly Corner[] = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
]; // prettier-ignore

/** Follows an outline, the cell on the right hand, from the left side of the pixel (x0, y0) upward until it is back there. */
function follow(inside: (x: number, y: number) => boolean, x0: number, y0: number, climbed: (x: number, y: number) => void): Corner[] {
  const corners: Corner[] = [];
  let [x, y, d] = [x0, y0, 0];
  do {
    if (d === 0) climbed(x, y);
    const left = (d + 3) % 4;
    const ahead = [x + (step[d] as Corner)[0], y + (step[d] as Corner)[1]] as const;
    const beside = [ahead[0] + (step[left] as Corner)[0], ahead[1] + (step[left] as Corner)[1]] as const;
    if (!inside(...ahead)) {
      corners.push([x + (edgeEnd[d] as Corner)[0], y + (edgeEnd[d] as Corner)[1]]);
      d = (d + 1) % 4; // around this pixel's corner, also where another one touches it there
    } else if (!inside(...beside)) {
      [x, y] = ahead;
    } else {
      corners.push([x + (edgeEnd[d] as Corner)[0], y + (edgeEnd[d] as Corner)[1]]);
      [x, y] = beside;
      d = left;
    }
  } while (x !== x0 || y !== y0 || d !== 0);
  return corners;
}

/** Cuts a walk where it comes back to a corner: rings that do not touch themselves. */
function simpleRings(walk: readonly Corner[]): Corner[][] {
  const rings: Corner[][] = [];
  let way: Corner[] = [];
  for (const corner of walk) {
    const before = way.findIndex(([x, y]) => x === corner[0] && y === corner[1]);
    if (before < 0) way.push(corner);
    else {
      rings.push(way.slice(before));
      way = way.slice(0, before + 1);
    }
  }
  return [...rings, way];
}

function shoelace(ring: readonly Corner[]): number {
  return ring.reduce((sum, [x, y], i) => {
    const [px, py] = ring.at(i - 1) as Corner;
    return sum + px * y - x * py;
  }, 0);
}

// The definition: the pieces of each cell (over the sides of its pixels), and the outlines of each piece.
function cellContoursReference(p: CellContoursParams): void {
  const { width: w, height: h, labels } = p;
  const piece = new Int32Array(w * h).fill(-1);
  const rings: { cell: number; piece: number; hole: boolean; ring: Corner[] }[] = [];
  const cellOf = new Map(Array.from(p.ids, (id, i) => [id, i]));
  let pieces = 0;
  for (let at = 0; at < w * h; at++) {
    const cell = cellOf.get(labels[at] as number);
    if (cell === undefined || piece[at] !== -1) continue;
    const own = pieces++;
    const members = [at];
    piece[at] = own;
    for (const i of members) {
      const x = i % w;
      for (const n of [x > 0 ? i - 1 : -1, x < w - 1 ? i + 1 : -1, i - w, i + w]) {
        if (n < 0 || n >= w * h || piece[n] !== -1 || labels[n] !== labels[at]) continue;
        piece[n] = own;
        members.push(n);
      }
    }
    // Walks go by the label: where pieces touch at a corner, a walk stays on its own piece.
    const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < w && y < h && labels[y * w + x] === labels[at];
    const used = new Set<number>();
    for (const i of members.sort((a, b) => a - b)) {
      const x = i % w;
      const y = Math.floor(i / w);
      if (used.has(i) || inside(x - 1, y)) continue;
      const walk = follow(inside, x, y, (cx, cy) => used.add(cy * w + cx));
      for (const ring of simpleRings(walk)) rings.push({ cell, piece: own, hole: shoelace(ring) < 0, ring });
    }
  }
  rings.sort((a, b) => a.cell - b.cell || a.piece - b.piece || Number(a.hole) - Number(b.hole));
  const points = rings.flatMap(({ ring }) => ring.flat());
  p.totals.set([rings.length, points.length / 2]);
  for (const array of [p.points, p.ring_offsets, p.cell_offsets]) array.fill(0);
  if (rings.length > p.ring_capacity || points.length / 2 > p.point_capacity) return;
  p.points.set(points);
  rings.forEach(({ ring }, r) => {
    p.ring_offsets[r + 1] = (p.ring_offsets[r] as number) + ring.length;
  });
  for (let i = 0; i < p.count; i++) {
    p.cell_offsets[i + 1] = (p.cell_offsets[i] as number) + rings.filter(({ cell }) => cell === i).length;
  }
}

const contours = hostKernel<CellContoursParams>('cell_contours', cellContoursReference);

function prepare(mask: LabelMask, ids: Uint32Array, rings: number, points: number): CellContoursParams {
  return {
    height: mask.height,
    width: mask.width,
    count: ids.length,
    ring_capacity: rings,
    point_capacity: points,
    labels: mask.data,
    ids,
    points: new Float64Array(points * 2),
    ring_offsets: new Int32Array(rings + 1),
    cell_offsets: new Int32Array(ids.length + 1),
    totals: new Float64Array(2),
  };
}

/** Room for round cells with a hole in every other one; others take a second call with the true numbers. */
function likely(where: string, mask: LabelMask, { ids, areas, count }: Pick<Cells, 'ids' | 'areas' | 'count'>): CellContoursParams {
  checkMask(where, mask);
  if (!(ids instanceof Uint32Array) || ids.length !== count || areas?.length !== count) {
    throw new UamError('UAM_ARGUMENT', `${where}: cells must be what findCells gives`);
  }
  let points = 64;
  for (const area of areas) points += 8 + 6 * Math.sqrt(area);
  return prepare(mask, ids, 64 + Math.ceil(count * 1.5), Math.ceil(points));
}

const fits = ({ totals, ring_capacity, point_capacity }: CellContoursParams) =>
  (totals[0] as number) <= ring_capacity && (totals[1] as number) <= point_capacity;

function finish({ count, totals, points, ring_offsets, cell_offsets }: CellContoursParams): Polygons {
  const [rings, pointCount] = totals as unknown as [number, number];
  return { count, points: points.slice(0, pointCount * 2), ringOffsets: ring_offsets.slice(0, rings + 1), polygonOffsets: cell_offsets };
}

/**
 * The outlines of cells, along the edges of their pixels: `rasterizePolygons` gives back exactly the same pixels.
 *
 * @param mask a label image
 * @param cells the cells of the image, as `findCells` gives them (a part of them will do)
 * @returns polygon `i` is the outline of cell `i`: per piece of the cell (pixels that touch at a corner only are separate pieces) its
 *   outer ring, clockwise on the screen, and then the rings of its holes, counterclockwise. No ring touches itself
 * @throws UamError `UAM_ARGUMENT`, `UAM_DTYPE`, `UAM_SHAPE` for arguments that are not a label image and its cells
 * @example
 * const mask = { width: 3, height: 1, data: Uint32Array.of(0, 4, 4) };
 * const outlines = cellContours(mask, findCells(mask));
 * console.log(outlines.points); // 1,0  3,0  3,1  1,1
 */
export function cellContours(mask: LabelMask, cells: Cells): Polygons {
  const params = likely('cellContours', mask, cells);
  contours(params);
  if (fits(params)) return finish(params);
  const again = prepare(mask, cells.ids, params.totals[0] as number, params.totals[1] as number);
  contours(again);
  return finish(again);
}

/**
 * As `cellContours`, on a background thread. Leave the mask and the ids alone until the promise settles.
 *
 * @param options `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `cellContours`
 * @example
 * const mask = { width: 3, height: 1, data: Uint32Array.of(0, 4, 4) };
 * const outlines = await cellContoursAsync(mask, await findCellsAsync(mask));
 */
export async function cellContoursAsync(mask: LabelMask, cells: Cells, options: AsyncOptions = {}): Promise<Polygons> {
  const params = likely('cellContoursAsync', mask, cells);
  await contours.async(params, options);
  if (fits(params)) return finish(params);
  const again = prepare(mask, cells.ids, params.totals[0] as number, params.totals[1] as number);
  await contours.async(again, options);
  return finish(again);
}
