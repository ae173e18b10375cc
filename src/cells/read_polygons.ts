import { UamError } from '../errors.js';
import { type GeoJsonOptions, readGeoJson } from './geojson.js';
import { readHoverNet } from './hovernet.js';
import { JsonCutter, jsonItems } from './json_items.js';
import type { CellPolygons } from './polygon_file.js';

type Format = CellPolygons['format'];

/** What the first telling item of a file makes it. */
async function formatOf(path: string): Promise<Format> {
  const cutter = new JsonCutter(path, ['features', 'nuc', 'cells']);
  for await (const { container, key, value } of jsonItems(path, cutter)) {
    if (container === 'features' || cutter.outermost === 'list') return 'geojson';
    if (container !== 'top') return 'hovernet';
    if (key === 'geometry' || (key === 'type' && typeof value === 'string')) return 'geojson';
    if (key === 'mag' || (typeof value === 'object' && value !== null && 'contour' in value)) return 'hovernet';
  }
  if (cutter.opened.has('features') || cutter.outermost === 'list') return 'geojson';
  if (cutter.opened.size > 0) return 'hovernet';
  throw new UamError(
    'UAM_FORMAT',
    `${path}: neither GeoJSON (features with a geometry) nor HoVer-Net JSON ("nuc", or nuclei with a contour); label images are read otherwise`,
  );
}

/**
 * Reads a file of cell polygons, GeoJSON or HoVer-Net JSON, whichever it turns out to be. See `readGeoJson` and `readHoverNet`.
 *
 * @param path the file; `.gz` is unpacked
 * @throws UamError as these do; `UAM_FORMAT` where it is neither
 * @example
 * const { writeFile, rm } = await import('node:fs/promises');
 * await writeFile('nuclei.json', JSON.stringify({ 1: { contour: [[4, 4], [6, 4], [6, 6], [4, 6]] } }));
 * const { format, polygons, ids } = await readPolygons('nuclei.json');
 * const { mask } = rasterizePolygons(polygons, { width: 10, height: 10, ids });
 * console.log(format, findCells(mask).areas[0]); // hovernet 9
 * await rm('nuclei.json');
 */
export async function readPolygons(path: string, options: GeoJsonOptions = {}): Promise<CellPolygons> {
  return (await formatOf(path)) === 'geojson' ? readGeoJson(path, options) : readHoverNet(path);
}
