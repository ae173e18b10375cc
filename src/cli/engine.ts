// What the commands need of the rest of the package, as one object: tests put another in its place.
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import type { ImageTypeChoice } from '../radiomics/image_type_choice.js';
import type { FeatureChoice, KnownFeatures } from '../radiomics/parameter_file.js';
import type { Settings } from '../radiomics/settings.js';
import type { FeatureTable } from '../radiomics/table.js';

/** A feature as `uam features --list` shows it. */
export interface CatalogueEntry {
  /** The class, such as `glcm`. */
  class: string;
  name: string;
  unit: string;
  definition: string;
  /** The tool or the paper that defines it. */
  source: string;
  /** Whether it is computed where nothing is said. */
  default: boolean;
}

/** How the features of an image are to be computed. */
export interface ExtractionRequest {
  settings: Partial<Settings>;
  imageTypes: readonly ImageTypeChoice[];
  /** Absent: the default features. */
  features?: FeatureChoice | undefined;
  channels: readonly string[];
  stains: 'ruifrok' | 'macenko';
  /** Cells per block. */
  block?: number | undefined;
}

/** What follows a running extraction. */
export interface ExtractionWatch {
  signal: AbortSignal;
  /** Called now and then with the cells that are done, of how many. */
  onProgress(done: number, total: number): void;
}

export interface Found<T> {
  value: T;
  warnings: readonly ImageWarning[];
}

export interface Engine {
  setThreads(threads: number): void;
  catalogue(): readonly CatalogueEntry[];
  /** Classes to features, deprecated ones included. */
  knownFeatures(): KnownFeatures;
  readImage(path: string): Promise<Found<RasterImage>>;
  /** The mask of an image, from a label image or from polygons. */
  readMask(path: string, image: RasterImage): Promise<Found<LabelMask>>;
  segment(image: RasterImage): Promise<Found<LabelMask>>;
  /** The features in blocks of cells; at least one block, though it may be empty. */
  extract(image: RasterImage, mask: LabelMask, request: ExtractionRequest, watch: ExtractionWatch): AsyncIterable<FeatureTable>;
}
