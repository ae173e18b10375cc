// A tile of a dataset on disk: what is known of it at once, and its pixels when it is their turn.
import type { ImageWarning, LabelMask } from '../image/image.js';
import type { FoundCells } from './cell_source.js';
import type { SampleInput, Split } from './dataset.js';
import type { CacheSource } from './feature_cache.js';
import type { ScaledImage } from './image_cells.js';

/** The classes that are known of a tile's cells, for the rows of their table. */
export type KnownClasses = Pick<SampleInput, 'points' | 'classes'>;

/** The nuclei of a tile. */
export interface TileNuclei {
  mask: LabelMask;
  /** What image and mask were read from. */
  content: CacheSource;
  known?: ((cells: Pick<FoundCells, 'ids' | 'mask'>) => Promise<KnownClasses>) | undefined;
}

/** What was read of a tile. */
export interface TileParts {
  pixels: ScaledImage;
  nuclei: TileNuclei | undefined;
  /** A mask for each region of the dataset, with the values of `readRegion`; undefined where it is not known. */
  regions: readonly (LabelMask | undefined)[];
  /** What the user should know about the files. */
  warnings: readonly ImageWarning[];
}

export interface TileSource {
  /** For messages. */
  name: string;
  /** The file that warnings speak of. */
  file: string;
  /** Undefined: the tile is a patient of its own. */
  patient: string | undefined;
  split: Split | undefined;
  /** The sidecar of feature maps that stand for the image. */
  maps: string | undefined;
  /**
   * Micrometres per pixel of the image, for which its pixels need not be read.
   *
   * @throws UamError `UAM_DATA` where it is not known
   */
  pixelSize(): Promise<readonly [x: number, y: number]>;
  /** @param cells whether the nuclei are wanted, too */
  read(cells: boolean, signal: AbortSignal | undefined): Promise<TileParts>;
}
