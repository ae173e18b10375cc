import { UamError } from '../errors.js';
import { gaussianBlur } from '../image/gaussian_blur.js';
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { type StainOptions, stainPlanesAsync } from '../image/stains.js';
import type { AsyncOptions } from '../native/call.js';
import { connectedComponents } from './connected_components.js';
import { distanceTransform } from './distance_transform.js';
import { findCells } from './find_cells.js';
import { foregroundByThreshold } from './threshold.js';
import { watershed } from './watershed.js';

export interface SegmentOptions {
  /** Micrometres per pixel; default what the image says, else 0.5 with a warning. */
  mpp?: number | undefined;
  /** The colours of the stains, as for `stainPlanes`; default `'ruifrok'`. */
  stains?: StainOptions['stains'];
  /** Standard deviation of the smoothing before the threshold, in um; default 0.5. */
  smoothing?: number | undefined;
  /** Nuclei smaller than this are left out, in square um; default 10. */
  minArea?: number | undefined;
  /** Nuclei larger than this are left out, in square um; default 500. */
  maxArea?: number | undefined;
  /** How much narrower than its smaller half a neck must be for two nuclei to be parted there, in um of radius; default 0.3. */
  splitDepth?: number | undefined;
}

export interface Segmentation {
  mask: LabelMask;
  /** How many nuclei; their ids are 1 .. count, in the order of their first pixels, row by row. */
  count: number;
  /** Micrometres per pixel that were reckoned with. */
  mpp: number;
  warnings: ImageWarning[];
}

/** What the options say, in pixels. */
interface Pixels {
  mpp: number;
  sigma: number;
  least: number;
  most: number;
  depth: number;
}

function inPixels(image: RasterImage, options: SegmentOptions, warnings: ImageWarning[]): Pixels {
  const { smoothing = 0.5, minArea = 10, maxArea = 500, splitDepth = 0.3 } = options;
  let mpp = options.mpp ?? (image.mpp ? (image.mpp[0] + image.mpp[1]) / 2 : undefined);
  if (mpp === undefined) {
    mpp = 0.5;
    const message = `${image.name ?? 'the image'}: the pixel size is unknown; 0.5 um per pixel (20x) is assumed. Give mpp for other magnifications`;
    warnings.push({ code: 'unknown_mpp', message });
  }
  const numbers = { mpp, smoothing, minArea, maxArea, splitDepth };
  for (const [name, value] of Object.entries(numbers)) {
    if (!(Number.isFinite(value) && value >= 0)) {
      throw new UamError('UAM_ARGUMENT', `segmentNuclei: ${name} must be a number of at least 0, received ${String(value)}`);
    }
  }
  if (!(mpp >= 0.01 && mpp <= 10)) throw new UamError('UAM_ARGUMENT', `segmentNuclei: mpp must be from 0.01 to 10 um, received ${mpp}`);
  if (!(minArea < maxArea)) throw new UamError('UAM_ARGUMENT', `segmentNuclei: minArea (${minArea}) must be below maxArea (${maxArea})`);
  return { mpp, sigma: smoothing / mpp, least: minArea / mpp ** 2, most: maxArea / mpp ** 2, depth: splitDepth / mpp };
}

/** Holes smaller than `most` pixels become part of what surrounds them. */
function fillHoles(mask: Uint8Array, width: number, height: number, most: number): void {
  const outside = mask.map((value) => (value ? 0 : 1));
  const { mask: pieces } = connectedComponents(outside, width, height, { diagonal: true });
  const { areas, touchesBorder } = findCells(pieces); // pieces are numbered from 1 without gaps
  for (let i = 0; i < mask.length; i++) {
    const piece = pieces.data[i] as number;
    if (piece > 0 && touchesBorder[piece - 1] === 0 && (areas[piece - 1] as number) < most) mask[i] = 1;
  }
}

/** Opening by a disc: what is narrower than the disc goes. */
function open(mask: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  if (radius < 1) return mask;
  const eroded = distanceTransform(mask, width, height);
  const away = Uint8Array.from(eroded, (distance) => (distance > radius ? 0 : 1));
  const distance = distanceTransform(away, width, height);
  return Uint8Array.from(distance, (value) => (value <= radius ? 1 : 0));
}

/** Regions of an allowed size, renumbered in their order; `large` counts those that were left out because of their size. */
function sized({ data, width, height }: LabelMask, least: number, most: number): { mask: LabelMask; count: number; large: number } {
  const cells = findCells({ data, width, height });
  const number = new Uint32Array(cells.count + 1);
  let count = 0;
  let large = 0;
  for (let i = 0; i < cells.count; i++) {
    const area = cells.areas[i] as number;
    if (area > most) large++;
    else if (area >= least) number[i + 1] = ++count;
  }
  return { mask: { width, height, data: data.map((label) => number[label] as number) }, count, large };
}

/**
 * CLASSICAL segmentation of the nuclei of an H&E image, for users who have no masks: no learned model is behind it, and it does not
 * reach one. In well-stained tissue it finds most nuclei; it merges crowded ones, splits large vesicular ones, and takes pigment and dirt
 * for nuclei. Where you have masks of a trained model, use those.
 *
 * Steps: haematoxylin density (colour deconvolution); Gaussian smoothing; Otsu's threshold of the tissue, following slow changes of
 * staining; holes filled and thin strands removed; cut at necks by a watershed of the distances to the border; nuclei by size.
 * The result does not depend on the number of threads.
 *
 * @param image RGB, 8 bits
 * @returns a label image, the number of nuclei and warnings: `unknown_mpp` where the pixel size had to be guessed, `no_tissue` where
 *   there is nothing to segment, `large_objects` where objects above `maxArea` were left out
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE` for another kind of image or wrong options; `UAM_DATA` as `stainPlanes`; `UAM_ABORTED`
 * @example
 * const [width, height] = [64, 64];
 * const data = new Uint8Array(width * height * 3).fill(235);
 * for (let i = 0; i < width * height; i++) {
 *   const nucleus = ((i % width) - 30) ** 2 + (Math.floor(i / width) - 30) ** 2 < 64;
 *   data.set(nucleus ? [90, 60, 140] : [225, 170, 205], i * 3);
 * }
 * const { mask, count } = await segmentNuclei({ width, height, channels: 3, data }, { mpp: 0.5 });
 * console.log(count); // 1
 */
export async function segmentNuclei(image: RasterImage, options: SegmentOptions = {}, call: AsyncOptions = {}): Promise<Segmentation> {
  const warnings: ImageWarning[] = [];
  const { mpp, sigma, least, most, depth } = inPixels(image, options, warnings);
  const { width, height } = image;
  const planes = await stainPlanesAsync(image, { stains: options.stains, planes: ['haematoxylin', 'eosin'] }, call);
  const density = gaussianBlur(planes.haematoxylin as Float32Array, width, height, sigma);
  const found = foregroundByThreshold(density, planes.eosin as Float32Array, width, height, mpp);
  if (!found) {
    const message = `${image.name ?? 'the image'}: there is (nearly) no stained tissue, and no nucleus was looked for`;
    warnings.push({ code: 'no_tissue', message });
    return { mask: { width, height, data: new Uint32Array(width * height) }, count: 0, mpp, warnings };
  }
  fillHoles(found, width, height, least * 3);
  const solid = open(found, width, height, 0.75 / mpp);
  const distance = distanceTransform(solid, width, height);
  const bounded = distance.map((value) => Math.min(value, 1000)); // infinite where everything is foreground
  const { mask: regions } = watershed(gaussianBlur(bounded, width, height, sigma), solid, width, height, depth);
  const { mask, count, large } = sized(regions, least, most);
  if (large > 0) {
    const message = `${image.name ?? 'the image'}: ${large} objects larger than ${Math.round(most * mpp ** 2)} square um were left out`;
    warnings.push({ code: 'large_objects', message });
  }
  return { mask, count, mpp, warnings };
}
