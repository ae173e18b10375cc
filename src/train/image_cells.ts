import { readCellMask } from '../cells/read_cell_mask.js';
import { UamError } from '../errors.js';
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { readImage } from '../image/read_image.js';
import { extract } from '../radiomics/extract.js';
import type { FeatureTable } from '../radiomics/table.js';
import { positionsOf } from './dataset.js';
import type { ExtractionRecipe } from './recipe.js';

/** An image with the mask of its nuclei: paths, or what they hold. */
export interface ImageInput {
  image: string | RasterImage;
  /** A label image, in which each pixel holds the id of its nucleus, 0 for none; or the path of one, or of polygons. */
  mask: string | LabelMask;
  /** Micrometres per pixel, whatever the image says. */
  mpp?: number | readonly [x: number, y: number] | undefined;
}

/** An image whose pixel size is known. */
export type ScaledImage = RasterImage & { mpp: readonly [x: number, y: number] };

/** The cells of an image. */
export interface ImageCells {
  table: FeatureTable;
  /** `[cells, 2]` in micrometres. */
  positions: Float64Array;
  mask: LabelMask;
  name: string;
  /** What the user should know about the files. */
  warnings: readonly ImageWarning[];
}

interface Call {
  signal?: AbortSignal | undefined;
  /** Micrometres per pixel of an image that does not tell. */
  otherwise?: number | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/**
 * Reads an image, and sees that its pixel size is known.
 *
 * @throws UamError as `readImage`; `UAM_DATA` where the pixel size is not known
 */
export async function scaledImage(
  { image, mpp }: Pick<ImageInput, 'image' | 'mpp'>,
  { signal, otherwise }: Call,
): Promise<{ image: ScaledImage; warnings: readonly ImageWarning[] }> {
  const read = typeof image === 'string' ? await readImage(image, signal ? { signal } : {}) : { ...image, warnings: [] };
  const { warnings, ...raster } = read;
  const wanted = mpp ?? raster.mpp ?? otherwise;
  const name = raster.name ?? 'the image';
  if (wanted === undefined) {
    throw new UamError(
      'UAM_DATA',
      `${name}: it does not tell its pixel size; give mpp, micrometres per pixel (about 0.25 at 40x, 0.5 at 20x): on the command line --mpp, ` +
        'in a manifest a column mpp',
    );
  }
  return { image: { ...raster, name, mpp: typeof wanted === 'number' ? [wanted, wanted] : wanted }, warnings };
}

/**
 * Reads an image and its mask and extracts the features of its cells.
 *
 * @throws UamError as `scaledImage`, `readCellMask`, `radiomics.extract`
 */
export async function cellsOfImage(input: ImageInput, recipe: ExtractionRecipe, call: Call): Promise<ImageCells> {
  const { signal, onProgress } = call;
  const { image, warnings } = await scaledImage(input, call);
  const found = typeof input.mask === 'string' ? await readCellMask(input.mask, image, signal ? { signal } : {}) : input.mask;
  const { warnings: more = [], ...mask } = found as LabelMask & { warnings?: readonly ImageWarning[] };
  const table = await extract(image, mask, { ...recipe, signal, onProgress });
  const name = image.name as string;
  return { table, positions: positionsOf(table.centroids, image.mpp, name), mask, name, warnings: [...warnings, ...more] };
}
