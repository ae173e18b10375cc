import { readCellMask } from '../cells/read_cell_mask.js';
import { UamError } from '../errors.js';
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { openImage } from '../image/open_image.js';
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

/** An image whose pixel size is known. */
export type ScaledImage = RasterImage & Required<Pick<RasterImage, 'mpp'>>;

/** An image whose pixel size is known, and its mask. */
export interface ImagePair {
  pixels: ScaledImage;
  mask: LabelMask;
  name: string;
  /** What the user should know about the files. */
  warnings: readonly ImageWarning[];
}

/** The error of an image that does not tell its pixel size, where nobody else does. */
export const unknownPixelSize = (name: string): UamError =>
  new UamError(
    'UAM_DATA',
    `${name}: it does not tell its pixel size; give mpp, micrometres per pixel (about 0.25 at 40x, 0.5 at 20x): on the command line --mpp, ` +
      'in a manifest a column mpp',
  );

/**
 * Reads an image, and sees that its pixel size is known.
 *
 * @throws UamError as `readImage`; `UAM_DATA` where the pixel size is not known
 */
export async function scaledImage(
  { image, mpp }: Pick<ImageInput, 'image' | 'mpp'>,
  { signal, otherwise }: Call,
): Promise<{ image: ScaledImage; warnings: readonly ImageWarning[] }> {
  const options = { ...(signal && { signal }), ...(mpp !== undefined && { mpp }) }; // what is given, readImage need not doubt
  const read = typeof image === 'string' ? await readImage(image, options) : { ...image, warnings: [] };
  const { warnings, ...raster } = read;
  const wanted = mpp ?? raster.mpp ?? otherwise;
  const name = raster.name ?? (typeof image === 'string' ? image : 'the image');
  if (!wanted) throw unknownPixelSize(name);
  return { image: { ...raster, name, mpp: typeof wanted === 'number' ? [wanted, wanted] : wanted }, warnings };
}

/**
 * The pixel size that `scaledImage` would find, from the head of a file.
 *
 * @returns undefined where it is not known
 * @throws UamError as `openImage`
 */
export async function pixelSizeOf(
  { image, mpp }: { image: string; mpp: number | undefined },
  otherwise: number | undefined,
): Promise<readonly [x: number, y: number] | undefined> {
  if (mpp !== undefined) return [mpp, mpp];
  const opened = await openImage(image);
  await opened.close();
  return opened.mpp ?? (otherwise === undefined ? undefined : [otherwise, otherwise]);
}

/**
 * Reads an image and its mask.
 *
 * @throws UamError as `scaledImage`, `readCellMask`
 */
export async function readPair(input: ImageInput, call: Call): Promise<ImagePair> {
  const { image: pixels, warnings } = await scaledImage(input, call);
  const name = pixels.name as string;
  if (typeof input.mask !== 'string') return { pixels, mask: input.mask, name, warnings };
  const { warnings: more, ...mask } = await readCellMask(input.mask, pixels, call.signal ? { signal: call.signal } : {});
  return { pixels, mask, name, warnings: [...warnings, ...more] };
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
