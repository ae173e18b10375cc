// The package itself as what the commands work with. Each part is loaded when it is first needed.
import type { LabelMask, RasterImage } from '../image/image.js';
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
    const { readCellMask } = await import('../cells/read_cell_mask.js');
    const { warnings, ...value } = await readCellMask(path, image, { signal });
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
