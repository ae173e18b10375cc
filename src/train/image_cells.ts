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
}

interface Call {
  signal?: AbortSignal | undefined;
  /** Micrometres per pixel of an image that does not tell. */
  otherwise?: number | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** An image whose pixel size is known, and its mask. */
export interface ImagePair {
  pixels: RasterImage & Required<Pick<RasterImage, 'mpp'>>;
  mask: LabelMask;
  name: string;
}

/**
 * Reads an image and its mask.
 *
 * @throws UamError as `readImage`, `readMask`; `UAM_DATA` where the pixel size is not known
 */
export async function readPair({ image, mask, mpp }: ImageInput, { signal, otherwise }: Call): Promise<ImagePair> {
  const call = signal ? { signal } : {};
  const raster = typeof image === 'string' ? await readImage(image, call) : image;
  const wanted = mpp ?? raster.mpp ?? otherwise;
  const name = raster.name ?? (typeof image === 'string' ? image : 'the image');
  if (!wanted) {
    throw new UamError('UAM_DATA', `${name}: it does not tell its pixel size; give mpp, micrometres per pixel (0.25 at 40x, 0.5 at 20x)`);
  }
  const pixels = { ...raster, mpp: typeof wanted === 'number' ? ([wanted, wanted] as const) : wanted };
  const { width, height } = raster;
  return { pixels, mask: typeof mask === 'string' ? await readMask(mask, { width, height, ...call }) : mask, name };
}

/**
 * Extracts the features of the cells of an image.
 *
 * @throws UamError as `radiomics.extract`
 */
export async function measurePair({ pixels, mask, name }: ImagePair, recipe: ExtractionRecipe, call: Call): Promise<ImageCells> {
  const { signal, onProgress } = call;
  const table = await extract(pixels, mask, { ...recipe, signal, onProgress });
  return { table, positions: positionsOf(table.centroids, pixels.mpp, name) };
}

/** Reads an image and its mask and extracts the features of its cells: `readPair` and `measurePair`. */
export const cellsOfImage = async (input: ImageInput, recipe: ExtractionRecipe, call: Call): Promise<ImageCells> =>
  measurePair(await readPair(input, call), recipe, call);
