// The package itself as what the commands work with. Each part is loaded when it is first needed.
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { setThreads } from '../native/device.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import type { FeatureTable } from '../radiomics/table.js';
import type { Engine, Found } from './engine.js';

export const packageEngine: Engine = Object.freeze({
  setThreads,

  async readImage(path: string, signal: AbortSignal): Promise<Found<RasterImage>> {
    const { readImage } = await import('../image/read_image.js');
    const { warnings, ...value } = await readImage(path, { signal });
    return { value, warnings };
  },

  async readMask(path: string, image: RasterImage, signal: AbortSignal): Promise<Found<LabelMask>> {
    if (/\.(geo)?json(\.gz)?$/i.test(path)) return readPolygonMask(path, image, signal);
    const { readMask } = await import('../image/read_mask.js');
    const { warnings, ...value } = await readMask(path, { width: image.width, height: image.height, signal });
    return { value, warnings };
  },

  async segment(image: RasterImage, { stains, signal }: ExtractOptions): Promise<Found<LabelMask>> {
    const { segmentNuclei } = await import('../cells/segment.js');
    const { mask, warnings } = await segmentNuclei(image, { stains }, signal && { signal });
    return { value: mask, warnings };
  },

  async *extract(image: RasterImage, mask: LabelMask, options: ExtractOptions): AsyncGenerator<FeatureTable> {
    const { extractBlocks } = await import('../radiomics/extract.js');
    yield* extractBlocks(image, mask, options);
  },
});

/** Outlines as a label image. Those that it does not show are named: their cells would be missing from the table. */
async function readPolygonMask(path: string, { width, height }: RasterImage, signal: AbortSignal): Promise<Found<LabelMask>> {
  const { readPolygons } = await import('../cells/read_polygons.js');
  const { rasterizePolygonsAsync } = await import('../cells/rasterize.js');
  const { polygons, ids, warnings } = await readPolygons(path);
  const { mask, lost, hidden, outside } = await rasterizePolygonsAsync(polygons, { width, height, ids }, { signal });
  const missing: ImageWarning[] = Object.entries({
    polygons_lost: [lost, 'are too small to hold the centre of a pixel'],
    polygons_hidden: [hidden, 'lie under others'],
    polygons_outside: [outside, 'lie outside the image'],
  } as const).flatMap(([code, [which, why]]) => {
    if (which.length === 0) return [];
    const some = [...which.subarray(0, 5)].join(', ') + (which.length > 5 ? ', ...' : '');
    return [{ code, message: `${path}: ${which.length} of ${polygons.count} polygons ${why} and get no row (ids ${some})` }];
  });
  return { value: { ...mask, name: path }, warnings: [...warnings, ...missing] };
}
