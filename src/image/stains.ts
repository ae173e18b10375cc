import { UamError } from '../errors.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';
import { estimateStains } from './estimate_stains.js';
import type { RasterImage } from './image.js';
import { checkRgb, densityTable, inverse3, type Matrix3, normalised, ruifrok } from './stain_matrix.js';

interface StainDensityParams {
  pixels: number;
  rgb: Uint8Array;
  table: Float64Array;
  inverse: Float64Array;
  haematoxylin?: Float32Array | undefined;
  eosin?: Float32Array | undefined;
  residual?: Float32Array | undefined;
}

function stainDensityReference({ pixels, rgb, table, inverse, haematoxylin, eosin, residual }: StainDensityParams): void {
  [haematoxylin, eosin, residual].forEach((plane, stain) => {
    for (let i = 0; plane && i < pixels; i++) {
      let sum = 0;
      for (let c = 0; c < 3; c++) sum += (table[rgb[i * 3 + c] as number] as number) * (inverse[c * 3 + stain] as number);
      plane[i] = sum;
    }
  });
}

const stainDensity = hostKernel<StainDensityParams>('stain_density', stainDensityReference);

/** The stains of H&E, and what is left. */
export type Stain = 'haematoxylin' | 'eosin' | 'residual';

/** Which colours the stains of an image have. */
export type StainChoice = 'ruifrok' | 'macenko' | readonly (readonly number[])[];

export interface StainOptions {
  /**
   * Which colours the stains have: `'ruifrok'` (default), the published matrix for H&E; `'macenko'`, estimated from this image; or
   * rows of optical densities (R, G, B) of haematoxylin, eosin and, if wanted, a third stain.
   */
  stains?: StainChoice | undefined;
  /** Which planes to make; default all three. */
  planes?: readonly Stain[] | undefined;
}

/** Densities of the stains, one value per pixel; only those asked for. */
export interface StainPlanes {
  haematoxylin?: Float32Array;
  eosin?: Float32Array;
  residual?: Float32Array;
  /** The unit rows that were used: haematoxylin, eosin, residual. */
  matrix: Matrix3;
}

function prepare(where: string, image: RasterImage, { stains = 'ruifrok', planes }: StainOptions) {
  checkRgb(where, image);
  const wanted = planes ?? ['haematoxylin', 'eosin', 'residual'];
  for (const stain of wanted) {
    if (stain !== 'haematoxylin' && stain !== 'eosin' && stain !== 'residual') {
      throw new UamError('UAM_ARGUMENT', `${where}: planes are 'haematoxylin', 'eosin' and 'residual', received '${String(stain)}'`);
    }
  }
  const given = stains === 'ruifrok' ? ruifrok : stains === 'macenko' ? estimateStains(image) : stains;
  if (!Array.isArray(given)) {
    throw new UamError('UAM_ARGUMENT', `${where}: stains must be 'ruifrok', 'macenko' or rows of numbers, received '${String(given)}'`);
  }
  const matrix = normalised(where, given);
  const pixels = image.width * image.height;
  const made: Partial<Record<Stain, Float32Array>> = {};
  for (const stain of wanted) made[stain] = new Float32Array(pixels);
  const params: StainDensityParams = {
    pixels,
    rgb: image.data as Uint8Array,
    table: densityTable(),
    inverse: Float64Array.from(inverse3(matrix).flat()),
    ...made,
  };
  return { params, planes: { ...made, matrix } as StainPlanes };
}

/**
 * Takes an H&E image apart into its stains (colour deconvolution, Ruifrok and Johnston 2001): the optical densities of a pixel,
 * times the inverse of the matrix of the stains' optical densities.
 *
 * Densities are in the scale that HistomicsTK calls SDA, `-ln(max(v, 1) / 255) * 255 / ln 255`: 0 is no stain, and 255 what darkens an
 * 8-bit channel to its least value. So a PyRadiomics `binWidth` of 25 makes sense on them. Values may be a little below 0, or above 255
 * where stains share a channel.
 *
 * @param image RGB, 8 bits
 * @returns `height * width` values per plane, and the matrix used (unit rows). The third row is the one at right angles to the other
 *   two where none is given
 * @throws UamError `UAM_ARGUMENT` for another kind of image, or a matrix whose rows are not independent; `UAM_DATA` where Macenko's
 *   method finds too little stained tissue
 * @example
 * const image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(120, 60, 150) };
 * const { haematoxylin, eosin } = stainPlanes(image, { planes: ['haematoxylin', 'eosin'] });
 */
export function stainPlanes(image: RasterImage, options: StainOptions = {}): StainPlanes {
  const { params, planes } = prepare('stainPlanes', image, options);
  stainDensity(params);
  return planes;
}

/**
 * As `stainPlanes`, the planes made on a background thread.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `stainPlanes`
 * @example
 * const image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(120, 60, 150) };
 * const { eosin } = await stainPlanesAsync(image);
 */
export async function stainPlanesAsync(image: RasterImage, options: StainOptions = {}, call: AsyncOptions = {}): Promise<StainPlanes> {
  const { params, planes } = prepare('stainPlanesAsync', image, options);
  await stainDensity.async(params, call);
  return planes;
}
