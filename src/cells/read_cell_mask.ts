import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { readMask } from '../image/read_mask.js';
import type { AsyncOptions } from '../native/call.js';
import { rasterizePolygonsAsync } from './rasterize.js';
import { readPolygons } from './read_polygons.js';

/** A mask as it was read, and what the user should know about it. */
export type ReadCellMask = LabelMask & { warnings: readonly ImageWarning[] };

/**
 * Reads the nuclei of an image, from a label image or, where the name ends in `.geojson` or `.json` (also `.gz`), from polygons.
 * Polygons that get no pixel are named in a warning: their cells are missing.
 *
 * @param size that the mask must have: that of its image
 * @throws UamError as `readMask`, `readPolygons` and `rasterizePolygons`
 * @example
 * const { rm } = await import('node:fs/promises');
 * await writeGeoJson('cells.geojson', polygonsFrom([[[[0, 0], [3, 0], [3, 2], [0, 2]]]]));
 * const mask = await readCellMask('cells.geojson', { width: 4, height: 3 });
 * console.log(findCells(mask).areas); // 6
 * await rm('cells.geojson');
 */
export async function readCellMask(
  path: string,
  { width, height }: Pick<RasterImage, 'width' | 'height'>,
  options: AsyncOptions = {},
): Promise<ReadCellMask> {
  if (!/\.(geo)?json(\.gz)?$/i.test(path)) return readMask(path, { width, height, ...options });
  const { polygons, ids, warnings } = await readPolygons(path);
  const { mask, lost, hidden, outside } = await rasterizePolygonsAsync(polygons, { width, height, ids }, options);
  const missing: ImageWarning[] = Object.entries({
    polygons_lost: [lost, 'are too small to hold the centre of a pixel'],
    polygons_hidden: [hidden, 'lie under others'],
    polygons_outside: [outside, 'lie outside the image'],
  } as const).flatMap(([code, [which, why]]) => {
    if (which.length === 0) return [];
    const some = [...which.subarray(0, 5)].join(', ') + (which.length > 5 ? ', ...' : '');
    return [{ code, message: `${path}: ${which.length} of ${polygons.count} polygons ${why} and get no row (ids ${some})` }];
  });
  return { ...mask, name: path, warnings: [...warnings, ...missing] };
}
