import { UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { readImage } from '../image/read_image.js';
import { readMask } from '../image/read_mask.js';
import { extract } from '../radiomics/extract.js';
import type { FeatureTable } from '../radiomics/table.js';
import { positionsOf } from './dataset.js';
import type { ExtractionRecipe } from './recipe.js';

/** An image with the mask of its nuclei: paths, or what they hold. */
export interface ImageInput {
  image: string | RasterImage;
  /** A label image: each pixel holds the id of its nucleus, 0 for none. */
  mask: string | LabelMask;
  /** Micrometres per pixel, whatever the image says. */
  mpp?: number | readonly [x: number, y: number] | undefined;
}

/** The cells of an image. */
export interface ImageCells {
  table: FeatureTable;
  /** `[cells, 2]` in micrometres. */
  positions: Float64Array;
  mask: LabelMask;
  name: string;
}

interface Call {
  signal?: AbortSignal | undefined;
  /** Micrometres per pixel of an image that does not tell. */
  otherwise?: number | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/**
 * Reads an image and its mask and extracts the features of its cells.
 *
 * @throws UamError as `readImage`, `readMask`, `radiomics.extract`; `UAM_DATA` where the pixel size is not known
 */
export async function cellsOfImage(
  { image, mask, mpp }: ImageInput,
  recipe: ExtractionRecipe,
  { signal, otherwise, onProgress }: Call,
): Promise<ImageCells> {
  const call = signal ? { signal } : {};
  const raster = typeof image === 'string' ? await readImage(image, call) : image;
  const wanted = mpp ?? (raster.mpp ? undefined : otherwise);
  const given = typeof wanted === 'number' ? ([wanted, wanted] as const) : wanted;
  const pixels: RasterImage = given ? { ...raster, mpp: given } : raster;
  const name = pixels.name ?? (typeof image === 'string' ? image : 'the image');
  if (!pixels.mpp) {
    throw new UamError('UAM_DATA', `${name}: it does not tell its pixel size; give mpp, micrometres per pixel (0.25 at 40x, 0.5 at 20x)`);
  }
  const { width, height } = pixels;
  const labels = typeof mask === 'string' ? await readMask(mask, { width, height, ...call }) : mask;
  const table = await extract(pixels, labels, { ...recipe, signal, onProgress });
  return { table, positions: positionsOf(table.centroids, pixels.mpp, name), mask: labels, name };
}
