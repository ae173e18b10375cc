import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';
import type { Polygons } from './polygons.js';

interface RasterizeParams {
  polygons: number;
  rings: number;
  points: number;
  height: number;
  width: number;
  x0: number;
  y0: number;
  keep_first: boolean;
  xy: Float64Array;
  ring_offsets: Int32Array;
  polygon_offsets: Int32Array;
  ids: Uint32Array;
  labels: Uint32Array;
  covered: Float64Array;
  visible: Float64Array;
}

/** Where the rings of a polygon cross the line `y = row`, by the upper end of each edge first. */
function crossings(p: RasterizeParams, polygon: number, row: number): number[] {
  const found: number[] = [];
  for (let r = p.polygon_offsets[polygon] as number; r < (p.polygon_offsets[polygon + 1] as number); r++) {
    const begin = p.ring_offsets[r] as number;
    const end = p.ring_offsets[r + 1] as number;
    for (let i = begin, j = end - 1; i < end; j = i++) {
      const [a, b] = (p.xy[j * 2 + 1] as number) < (p.xy[i * 2 + 1] as number) ? [j, i] : [i, j];
      const [x1, y1] = p.xy.subarray(a * 2) as unknown as [number, number];
      const [x2, y2] = p.xy.subarray(b * 2) as unknown as [number, number];
      if (!(y1 <= row && row < y2)) continue;
      const t = (row * 0.5 - y1 * 0.5) / (y2 * 0.5 - y1 * 0.5);
      found.push((x1 * 0.5 + t * (x2 * 0.5 - x1 * 0.5)) * 2);
    }
  }
  return found;
}

function rasterizeReference(p: RasterizeParams): void {
  const owner = new Int32Array(p.height * p.width).fill(-1);
  p.covered.fill(0);
  p.visible.fill(0);
  for (let polygon = 0; polygon < p.polygons; polygon++) {
    if (p.ids[polygon] === 0) throw new UamError('UAM_ARGUMENT', `polygon ${polygon} has the id 0, which is the background`);
    const first = p.ring_offsets[p.polygon_offsets[polygon] as number] as number;
    const last = p.ring_offsets[p.polygon_offsets[polygon + 1] as number] as number;
    if (!p.xy.subarray(first * 2, last * 2).every(Number.isFinite)) {
      throw new UamError('UAM_DATA', `polygon ${polygon} (id ${p.ids[polygon]}) has a coordinate that is not a finite number`);
    }
    for (let y = 0; y < p.height; y++) {
      const found = crossings(p, polygon, y + 0.5 + p.y0);
      if (found.length === 0) continue;
      for (let x = 0; x < p.width; x++) {
        const centre = x + 0.5 + p.x0;
        if (found.filter((crossing) => crossing <= centre).length % 2 === 0) continue;
        p.covered[polygon] = (p.covered[polygon] as number) + 1;
        if (!p.keep_first || owner[y * p.width + x] === -1) owner[y * p.width + x] = polygon;
      }
    }
  }
  owner.forEach((polygon, at) => {
    p.labels[at] = polygon < 0 ? 0 : (p.ids[polygon] as number);
    if (polygon >= 0) p.visible[polygon] = (p.visible[polygon] as number) + 1;
  });
}

const raster = hostKernel<RasterizeParams>('rasterize', rasterizeReference);

export interface RasterizeOptions {
  /** Pixels of the label image. */
  width: number;
  height: number;
  /** The id of each polygon, not 0; default 1, 2, 3, ... Several polygons may share one. */
  ids?: Uint32Array | undefined;
  /** The pixel of the polygons' image that becomes the first pixel of the mask, to read a part of it; default `[0, 0]`. */
  origin?: readonly [x: number, y: number] | undefined;
  /** Who has a pixel that several polygons cover, by their order: the `'last'` (default), as if painted one over the other, or the `'first'`. */
  overlap?: 'last' | 'first' | undefined;
}

/** A label image made of polygons, and which polygons are not to be seen in it. */
export interface Rasterized {
  mask: LabelMask;
  /** Ids of polygons that lie (at least partly) in the image but cover no pixel's centre: too small. */
  lost: Uint32Array;
  /** Ids of polygons that lie wholly under others. */
  hidden: Uint32Array;
  /** Ids of polygons that lie outside the image. */
  outside: Uint32Array;
}

function prepare(where: string, polygons: Polygons, options: RasterizeOptions): RasterizeParams {
  const { width, height, origin = [0, 0], overlap = 'last' } = options;
  if (![width, height].every((n) => Number.isInteger(n) && n >= 0)) {
    throw new UamError('UAM_ARGUMENT', `${where}: width and height must be whole numbers, received ${width} x ${height}`);
  }
  if (width * height > 2 ** 32) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${where}: ${width} x ${height} pixels are too many for one mask; use origin, width and height to make it in parts`,
    );
  }
  if (!origin.every((n) => Number.isInteger(n) && Math.abs(n) < 2 ** 31)) {
    throw new UamError('UAM_ARGUMENT', `${where}: origin must be two whole numbers, received ${origin.join(', ')}`);
  }
  if (overlap !== 'last' && overlap !== 'first') {
    throw new UamError('UAM_ARGUMENT', `${where}: overlap must be 'last' or 'first', received '${String(overlap)}'`);
  }
  const ids = options.ids ?? Uint32Array.from({ length: polygons.count }, (_, i) => i + 1);
  if (ids.length !== polygons.count) {
    throw new UamError('UAM_SHAPE', `${where}: ids must have one entry per polygon, ${polygons.count}, received ${ids.length}`);
  }
  return {
    polygons: polygons.count,
    rings: polygons.ringOffsets.length - 1,
    points: polygons.points.length / 2,
    height,
    width,
    x0: origin[0],
    y0: origin[1],
    keep_first: overlap === 'first',
    xy: polygons.points,
    ring_offsets: polygons.ringOffsets,
    polygon_offsets: polygons.polygonOffsets,
    ids,
    labels: new Uint32Array(height * width),
    covered: new Float64Array(polygons.count),
    visible: new Float64Array(polygons.count),
  };
}

/** Whether the box of a polygon meets the image. */
function isInside(p: RasterizeParams, polygon: number): boolean {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const first = p.ring_offsets[p.polygon_offsets[polygon] as number] as number;
  const last = p.ring_offsets[p.polygon_offsets[polygon + 1] as number] as number;
  if (first === last) return true; // without a point it is lost, not elsewhere
  for (let i = first; i < last; i++) {
    left = Math.min(left, p.xy[i * 2] as number);
    right = Math.max(right, p.xy[i * 2] as number);
    top = Math.min(top, p.xy[i * 2 + 1] as number);
    bottom = Math.max(bottom, p.xy[i * 2 + 1] as number);
  }
  return right > p.x0 && left < p.x0 + p.width && bottom > p.y0 && top < p.y0 + p.height;
}

function finish(p: RasterizeParams): Rasterized {
  const lost: number[] = [];
  const hidden: number[] = [];
  const outside: number[] = [];
  for (let i = 0; i < p.polygons; i++) {
    if ((p.visible[i] as number) > 0) continue;
    const list = (p.covered[i] as number) > 0 ? hidden : isInside(p, i) ? lost : outside;
    list.push(p.ids[i] as number);
  }
  return {
    mask: { width: p.width, height: p.height, data: p.labels },
    lost: Uint32Array.from(lost),
    hidden: Uint32Array.from(hidden),
    outside: Uint32Array.from(outside),
  };
}

/**
 * Makes a label image of polygons: a pixel belongs to a polygon where its centre, (x + 0.5, y + 0.5), lies inside by the even-odd rule
 * over the polygon's rings. Where polygons overlap the later one has the pixel, unless `overlap` is `'first'`. Polygons that share an
 * edge share no pixel and leave none out.
 *
 * @param polygons in pixel-edge coordinates; what lies outside the image is cut off
 * @returns the mask, and the ids of the polygons that no pixel of it shows: `lost` (too small), `hidden` (under others), `outside`
 * @throws UamError `UAM_DATA` for a coordinate that is NaN or infinite, naming the polygon; `UAM_ARGUMENT`, `UAM_SHAPE` for wrong options
 * @example
 * const { mask, lost } = rasterizePolygons(polygonsFrom([[[[0, 0], [2, 0], [2, 1], [0, 1]]]]), { width: 3, height: 2 });
 * console.log(mask.data); // 1 1 0  0 0 0
 */
export function rasterizePolygons(polygons: Polygons, options: RasterizeOptions): Rasterized {
  const params = prepare('rasterizePolygons', polygons, options);
  raster(params);
  return finish(params);
}

/**
 * As `rasterizePolygons`, on a background thread. Leave the polygons alone until the promise settles.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `rasterizePolygons`
 * @example
 * const square = polygonsFrom([[[[0, 0], [2, 0], [2, 2], [0, 2]]]]);
 * const { mask } = await rasterizePolygonsAsync(square, { width: 4, height: 4 });
 */
export async function rasterizePolygonsAsync(polygons: Polygons, options: RasterizeOptions, call: AsyncOptions = {}): Promise<Rasterized> {
  const params = prepare('rasterizePolygonsAsync', polygons, options);
  await raster.async(params, call);
  return finish(params);
}
