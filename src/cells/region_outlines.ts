// The regions of a mask as polygons for people: traced, freed of specks, and with no more points than they need.
import { UamError } from '../errors.js';
import { PolygonBuilder, type Polygons } from './polygons.js';
import { type Pieces, simplifyRings } from './simplify_rings.js';
import { RegionTracer, type TracedRegion, twiceArea } from './trace_regions.js';

export interface RegionOutlineOptions {
  /** How far outlines may move to have fewer points, in pixels of the mask; default 1, which takes the steps of pixels out of slanting
   * lines. 0 keeps the edges of pixels exactly. */
  tolerance?: number | undefined;
  /** Regions of fewer pixels are left out and holes of fewer are filled; default 0. */
  minPixels?: number | undefined;
}

/** A region as it is shown. */
export interface RegionOutline {
  /** The value of its pixels. */
  value: number;
  /** How many pixels it has, with those of the holes that were filled. */
  pixels: number;
  /** x and y in turn, in pixels of the mask, not closed: the outer ring, clockwise on the screen, then the holes. */
  rings: Int32Array[];
}

/** @throws UamError `UAM_ARGUMENT` */
export function checkOutlineOptions(
  where: string,
  { tolerance = 1, minPixels = 0 }: RegionOutlineOptions,
): Required<{
  [K in keyof RegionOutlineOptions]: number;
}> {
  if (!(tolerance >= 0 && tolerance <= 1000)) {
    throw new UamError('UAM_ARGUMENT', `${where}: tolerance must be from 0 to 1000 pixels, received ${tolerance}`);
  }
  if (!(minPixels >= 0)) throw new UamError('UAM_ARGUMENT', `${where}: the least area must be 0 or more, received ${minPixels}`);
  return { tolerance, minPixels };
}

/**
 * What is shown of a traced region, or nothing where it is a speck. What lies in a hole that is filled is a speck itself, whatever its
 * value: nothing that is shown is covered.
 */
export function* shownOutline(
  { value, pixels, rings }: TracedRegion,
  { tolerance, minPixels }: { tolerance: number; minPixels: number },
): Pieces<RegionOutline | undefined> {
  let all = pixels;
  const shown = rings.filter((ring, i) => {
    const hole = i > 0 ? -twiceArea(ring) / 2 : Number.POSITIVE_INFINITY;
    if (hole >= minPixels) return true;
    all += hole;
    return false;
  });
  if (all < minPixels) return undefined;
  return { value, pixels: all, rings: yield* simplifyRings(shown, tolerance) };
}

/** Outlines as `Polygons`, polygon i that of region i. */
export interface RegionPolygons {
  polygons: Polygons;
  /** The value of each region's pixels. */
  values: Uint8Array;
  /** `[n]`: how many pixels each has. */
  pixels: Float64Array;
}

/**
 * The outlines of the regions of a mask that is in memory: a polygon per region, that is per piece of pixels of one value that hang
 * together over their sides; 0 is no region. For masks that are not in memory there is `openRegionGeoJson`.
 *
 * @param mask `height * width` values
 * @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT`
 * @example
 * const mask = { width: 3, height: 2, data: Uint8Array.of(0, 2, 2, 0, 2, 2) };
 * const { polygons, values } = traceRegions(mask);
 * console.log(values, polygons.points); // [2], 1,0  3,0  3,2  1,2
 */
export function traceRegions(
  mask: { width: number; height: number; data: Uint8Array },
  options: RegionOutlineOptions = {},
): RegionPolygons {
  return atOnce(tracing(mask, options));
}

/** As `traceRegions`, in pieces. */
export function* tracing(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  options: RegionOutlineOptions = {},
): Pieces<RegionPolygons> {
  const settings = checkOutlineOptions('traceRegions', options);
  if (!(data instanceof Uint8Array) || !Number.isInteger(width) || !Number.isInteger(height) || data.length !== width * height) {
    throw new UamError('UAM_SHAPE', `traceRegions: a mask of ${width} x ${height} must hold a Uint8Array of as many values`);
  }
  const tracer = new RegionTracer(width);
  const builder = new PolygonBuilder();
  const [values, pixels]: [number[], number[]] = [[], []];
  for (let y = 0; y <= height; y++) {
    for (const region of y < height ? tracer.row(data.subarray(y * width, (y + 1) * width)) : tracer.finish()) {
      const outline = yield* shownOutline(region, settings);
      if (!outline) continue;
      for (const ring of outline.rings) {
        for (let i = 0; i < ring.length; i += 2) builder.point(ring[i] as number, ring[i + 1] as number);
        builder.endRing();
      }
      builder.endPolygon();
      values.push(outline.value);
      pixels.push(outline.pixels);
    }
    yield;
  }
  return { polygons: builder.finish(), values: Uint8Array.from(values), pixels: Float64Array.from(pixels) };
}

function atOnce<T>(pieces: Pieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}
