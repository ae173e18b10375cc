// Where a cell stands among the others: distances, densities, means around it, and its place in the Delaunay graph.
import { UamError } from '../errors.js';
import type { AsyncOptions } from '../native/call.js';
import { type DelaunayFeatures, delaunayFeatures } from './delaunay.js';
import { findNeighbours } from './neighbours.js';

/** What a column of features is. */
export interface NeighbourhoodFeature {
  /** Column name: `neighbourhood_NearestDistance1`, `neighbourhood_Mean15um_original_firstorder_Mean` ... */
  name: string;
  /** `um`, `um^2`, `cells`, `px` and `px^2` where the size of a pixel is not known, or the unit of the feature that is averaged. */
  unit: string;
  /** One sentence, with where it is NaN. */
  definition: string;
  /** Where it is known from. */
  source: string;
}

/** A column with its values, one per cell. */
export interface NeighbourhoodColumn extends NeighbourhoodFeature {
  data: Float64Array;
}

/** A feature whose mean around each cell is wanted. */
export interface AveragedFeature {
  name: string;
  /** One value per cell; NaN is left out of the means. */
  data: Float64Array;
  unit?: string;
}

export interface NeighbourhoodOptions extends AsyncOptions {
  /** Columns and rows of the image, in pixels: Voronoi cells end at its border. */
  width: number;
  height: number;
  /** Micrometres per pixel, or one for x and one for y. Without it lengths are in pixels, and what is named in um is NaN. */
  mpp?: number | readonly [x: number, y: number] | undefined;
  /** Features to average over the cells around each cell. */
  features?: readonly AveragedFeature[];
}

/** Which nearest neighbours' distances are given. */
export const nearestNeighbours: readonly number[] = Object.freeze([1, 3, 5, 10]);

/** Radii of the neighbourhoods, in micrometres. */
export const neighbourhoodRadii: readonly number[] = Object.freeze([15, 30]);

interface DelaunayDescription {
  key: keyof DelaunayFeatures;
  name: string;
  /** The power of a length that it is; 0 for a number of cells. */
  power: 0 | 1 | 2;
  definition: string;
}

const alone = 'NaN without an edge';
const delaunayDescriptions: readonly DelaunayDescription[] = [
  {
    key: 'degree',
    name: 'DelaunayDegree',
    power: 0,
    definition:
      'Number of neighbours in the Delaunay graph of the centroids, which are those whose Voronoi cell shares a side with that of the cell; a diagonal between four centroids on one circle does not count; cells at one place count as one',
  },
  { key: 'meanEdge', name: 'DelaunayMeanEdge', power: 1, definition: `Mean distance to the neighbours in the Delaunay graph; ${alone}` },
  { key: 'minEdge', name: 'DelaunayMinEdge', power: 1, definition: `Least distance to a neighbour in the Delaunay graph; ${alone}` },
  { key: 'maxEdge', name: 'DelaunayMaxEdge', power: 1, definition: `Greatest distance to a neighbour in the Delaunay graph; ${alone}` },
  {
    key: 'sdEdge',
    name: 'DelaunaySdEdge',
    power: 1,
    definition: `Standard deviation of the distances to the neighbours in the Delaunay graph, divided by their number; ${alone}`,
  },
  {
    key: 'voronoiArea',
    name: 'VoronoiArea',
    power: 2,
    definition:
      'Area of the part of the image that is nearer to the centroid of the cell than to any other; cells at one place share theirs evenly, so that all areas sum to the image',
  },
];

const prefix = 'neighbourhood_';
const distanceSource = 'Distance to the k-th nearest neighbour (P. J. Clark and F. C. Evans, Ecology 35, 1954, for k = 1)';
const densitySource = 'Local density and smoothed features of cell detections, as QuPath and HistomicsTK users compute them';
const delaunaySource =
  'B. Delaunay 1934; G. Voronoi 1908; as in QuPath (Delaunay cluster features) and CellProfiler; triangulation by d3-delaunay';

/**
 * Describes the columns that `neighbourhood` gives, in its order, without computing them.
 *
 * @param features names (and units) of the features to average
 * @param mppKnown whether micrometres per pixel are known; default true
 * @example
 * neighbourhoodFeatures().map(({ name, unit }) => `${name} [${unit}]`); // 'neighbourhood_NearestDistance1 [um]' ...
 */
export function neighbourhoodFeatures(
  features: readonly Pick<AveragedFeature, 'name' | 'unit'>[] = [],
  mppKnown = true,
): NeighbourhoodFeature[] {
  const length = mppKnown ? 'um' : 'px';
  const unknown = mppKnown ? '' : ' (NaN here: micrometres per pixel are not known)';
  return [
    ...nearestNeighbours.map((k) => ({
      name: `${prefix}NearestDistance${k}`,
      unit: length,
      definition: `Distance between the centroid of the cell and that of its ${ordinal(k)} other cell; NaN where there are fewer`,
      source: distanceSource,
    })),
    ...neighbourhoodRadii.map((radius) => ({
      name: `${prefix}Count${radius}um`,
      unit: 'cells',
      definition: `Number of other cells whose centroid lies within ${radius} um of that of the cell${unknown}`,
      source: densitySource,
    })),
    ...neighbourhoodRadii.flatMap((radius) =>
      features.map(({ name, unit = '' }) => ({
        name: `${prefix}Mean${radius}um_${name}`,
        unit,
        definition: `Mean of ${name} over the other cells within ${radius} um, of whatever class, leaving out NaN; NaN where there is none${unknown}`,
        source: densitySource,
      })),
    ),
    ...delaunayDescriptions.map(({ name, power, definition }) => ({
      name: prefix + name,
      unit: ['cells', length, `${length}^2`][power] as string,
      definition,
      source: delaunaySource,
    })),
  ];
}

function ordinal(k: number): string {
  return k === 1 ? 'nearest' : `${k}${k === 3 ? 'rd' : 'th'} nearest`;
}

/**
 * Columns about the neighbourhood of each cell, from centroids alone: distances to the 1st, 3rd, 5th and 10th nearest cell, numbers of
 * cells and means of features within 15 and 30 um, degree and edge lengths in the Delaunay graph, and the area of the Voronoi cell.
 *
 * Cells do not see beyond the image: near its border counts are lower and distances longer. With one cell distances, means and edges
 * are NaN, counts and degree 0, and the Voronoi cell is the image. Cells at one place are at distance 0, and one to the Delaunay graph.
 *
 * @param centroids `[n, 2]`: x and y in pixels, (0, 0) being the centre of the first pixel
 * @param options `width` and `height` of the image in pixels; `mpp` micrometres per pixel; `features` to average; `signal`
 * @returns one column per record of `neighbourhoodFeatures`, each with `n` values
 * @throws UamError `UAM_SHAPE` where centroids are not pairs or a feature has not one value per cell, `UAM_ARGUMENT` for a centroid that
 *   is not finite, an `mpp` that is not above 0, sides of the image that are not numbers >= 0, or two features of one name;
 *   `UAM_ABORTED`
 * @example
 * const centroids = Float64Array.of(10, 10, 40, 10, 10, 50, 90, 90);
 * const columns = await neighbourhood(centroids, { width: 100, height: 100, mpp: 0.25 });
 * const [nearest] = columns; // neighbourhood_NearestDistance1, in um: 7.5, 7.5, 10, ...
 */
export async function neighbourhood(centroids: Float64Array, options: NeighbourhoodOptions): Promise<NeighbourhoodColumn[]> {
  const { width, height, features = [], ...asyncOptions } = options;
  check(centroids, options);
  const n = centroids.length / 2;
  const known = options.mpp !== undefined;
  const [sx, sy] = typeof options.mpp === 'number' ? [options.mpp, options.mpp] : (options.mpp ?? [1, 1]);
  const points = centroids.map((value, i) => value * (i % 2 === 0 ? sx : sy));

  const most = Math.max(...nearestNeighbours);
  const radii = known ? Float64Array.from(neighbourhoodRadii) : new Float64Array(0);
  const values = known ? features.map(({ data }) => data) : [];
  const { distances, counts, means } = await findNeighbours(points, most, radii, values, asyncOptions);
  const frame = { left: -0.5 * sx, top: -0.5 * sy, right: (width - 0.5) * sx, bottom: (height - 0.5) * sy };
  const delaunay = await delaunayFeatures(points, frame);

  const nothing = () => new Float64Array(n).fill(Number.NaN);
  const rows = (array: Float64Array, count: number) =>
    Array.from({ length: count }, (_, row) => (known ? array.slice(row * n, (row + 1) * n) : nothing()));
  const data = [
    ...nearestNeighbours.map((k) => Float64Array.from({ length: n }, (_, i) => distances[i * most + k - 1] as number)),
    ...rows(counts, neighbourhoodRadii.length),
    ...rows(means, neighbourhoodRadii.length * features.length),
    ...delaunayDescriptions.map(({ key }) => delaunay[key]),
  ];
  return neighbourhoodFeatures(features, known).map((feature, i) => ({ ...feature, data: data[i] as Float64Array }));
}

function check(centroids: Float64Array, { width, height, mpp, features = [] }: NeighbourhoodOptions): void {
  const where = 'neighbourhood';
  if (!(centroids instanceof Float64Array) || centroids.length % 2 !== 0) {
    throw new UamError('UAM_SHAPE', `${where}: centroids must be a Float64Array [n, 2], received ${centroids?.length} values`);
  }
  const bad = centroids.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const cell = Math.floor(bad / 2);
    throw new UamError('UAM_ARGUMENT', `${where}: the centroid of cell ${cell} must be finite, received ${centroids[bad]}`);
  }
  for (const step of typeof mpp === 'number' ? [mpp] : (mpp ?? [])) {
    if (!Number.isFinite(step) || step <= 0) throw new UamError('UAM_ARGUMENT', `${where}: mpp must be above 0, received ${step}`);
  }
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isFinite(side) || side < 0) throw new UamError('UAM_ARGUMENT', `${where}: ${name} must be a number >= 0, received ${side}`);
  }
  const names = new Set<string>();
  for (const { name, data } of features) {
    if (names.has(name)) throw new UamError('UAM_ARGUMENT', `${where}: there are two features named '${name}'`);
    names.add(name);
    if (!(data instanceof Float64Array) || data.length !== centroids.length / 2) {
      const n = centroids.length / 2;
      throw new UamError('UAM_SHAPE', `${where}: feature '${name}' must be a Float64Array of ${n} values, received ${data?.length}`);
    }
  }
}
