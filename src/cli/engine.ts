// What the commands need of the rest of the package, as one object: tests put another in its place.
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import type { FeatureTable } from '../radiomics/table.js';

/** Something read or found, and what the user should know about it. */
export interface Found<T> {
  value: T;
  warnings: readonly ImageWarning[];
}

export interface Engine {
  setThreads(threads: number): void;
  readImage(path: string, signal: AbortSignal): Promise<Found<RasterImage>>;
  /** The mask of an image, from a label image or from polygons. */
  readMask(path: string, image: RasterImage, signal: AbortSignal): Promise<Found<LabelMask>>;
  /** The classical segmentation; of the options it takes `stains` and `signal`. */
  segment(image: RasterImage, options: ExtractOptions): Promise<Found<LabelMask>>;
  /** The features in blocks of cells; at least one block, though it may be empty. */
  extract(image: RasterImage, mask: LabelMask, options: ExtractOptions): AsyncIterable<FeatureTable>;
}
