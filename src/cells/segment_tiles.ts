import { UamError } from '../errors.js';
import { estimateStains } from '../image/estimate_stains.js';
import { gaussianBlurAsync } from '../image/gaussian_blur.js';
import type { ImageWarning, LabelMask, RasterImage } from '../image/image.js';
import { stainPlanesAsync } from '../image/stains.js';
import type { Region } from '../image/tiff_read.js';
import type { AsyncOptions } from '../native/call.js';
import { findCellsAsync } from './find_cells.js';
import { inPixels, type SegmentOptions, segmentNuclei } from './segment.js';
import { densityThreshold, findTissue } from './threshold.js';

/** An image that is read part by part: a slide. What `openImage` gives is one. */
export interface RegionSource {
  width: number;
  height: number;
  mpp?: readonly [x: number, y: number] | undefined;
  name?: string | undefined;
  /** The pixels of a region that lies inside the image: RGB, 8 bits. */
  read(region: { x: number; y: number; width: number; height: number; signal?: AbortSignal }): Promise<RasterImage> | RasterImage;
}

export interface SegmentTilesOptions extends SegmentOptions {
  /** Side of the parts in pixels, without their margins; default 2048. */
  tile?: number | undefined;
}

/** A part of a slide with its nuclei. */
export interface SegmentedTile {
  /** Where the part begins in the slide, its margin included. */
  x: number;
  y: number;
  /** The pixels of the part, with a margin of 50 um on all sides where the slide has it. */
  image: RasterImage;
  /** The nuclei whose centroids lie in the part, margin not included: each nucleus of the slide is in one part, whole. */
  mask: LabelMask;
  count: number;
  /** The nuclei of the parts before: ids are `first + 1 .. first + count`. */
  first: number;
  /** Parts done, this one included, and parts in all. */
  done: number;
  total: number;
  warnings: ImageWarning[];
}

const margin = 50; // um: the reach of the smoothing (20) and the largest nuclei (25)
const sampleSide = 256;
const samplesAcross = 8;

/** Windows spread over the slide, one above the other in one picture. */
async function sampleOf(source: RegionSource, call: AsyncOptions): Promise<RasterImage> {
  const { width, height, name, mpp } = source;
  const side = Math.min(sampleSide, width, height);
  const [columns, rows] = [width, height].map((n) => Math.min(samplesAcross, Math.floor(n / side))) as [number, number];
  const data = new Uint8Array(side * side * columns * rows * 3);
  for (let i = 0; i < columns * rows; i++) {
    const x = Math.floor((((i % columns) + 0.5) * width) / columns - side / 2);
    const y = Math.floor(((Math.floor(i / columns) + 0.5) * height) / rows - side / 2);
    data.set((await readChecked(source, { x, y, width: side, height: side }, call)).data, i * side * side * 3);
  }
  return { width: side, height: side * columns * rows, channels: 3, data, name, mpp };
}

async function readChecked(source: RegionSource, region: Region, { signal }: AsyncOptions): Promise<RasterImage> {
  const image = await source.read(signal ? { ...region, signal } : region);
  const { x, y, width, height } = region;
  if (image.width !== width || image.height !== height || image.channels !== 3 || !(image.data instanceof Uint8Array)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `segmentTiles: read must give the ${width} x ${height} pixels from (${x}, ${y}) on in 8-bit RGB, received ` +
        `${image.width} x ${image.height} with ${image.channels} channels of ${image.data?.constructor?.name}`,
    );
  }
  return image;
}

/** What must be the same in all parts: the stains and the threshold, from a sample of the slide. */
async function settle(source: RegionSource, options: SegmentTilesOptions, call: AsyncOptions): Promise<SegmentTilesOptions> {
  if (options.threshold !== undefined && options.stains !== 'macenko') return options;
  return settleSegmentation(await sampleOf(source, call), options, call);
}

/**
 * Options with which all parts of a slide are segmented alike: stains and threshold as a sample of its tissue has them. Where the sample
 * shows no tissue, or no nuclei, there is no threshold.
 */
export async function settleSegmentation<T extends SegmentOptions>(sample: RasterImage, options: T, call: AsyncOptions = {}): Promise<T> {
  const { sigma } = inPixels(sample, options, []);
  const stains = options.stains === 'macenko' ? estimateStains(sample) : options.stains;
  if (options.threshold !== undefined) return { ...options, stains };
  const { haematoxylin, eosin } = await stainPlanesAsync(sample, { stains, planes: ['haematoxylin', 'eosin'] }, call);
  const tissue = findTissue(haematoxylin as Float32Array, eosin as Float32Array);
  if (!tissue) return { ...options, stains }; // every part finds its own, where it has tissue at all
  const density = await gaussianBlurAsync(haematoxylin as Float32Array, sample.width, sample.height, sigma, call);
  return { ...options, stains, threshold: densityThreshold(density, tissue) };
}

/** Only the nuclei whose centroids lie in [x0, x1) x [y0, y1) of the mask, numbered from `first + 1`. */
async function owned({ width, height, data }: LabelMask, [x0, y0, x1, y1]: readonly number[], first: number, call: AsyncOptions) {
  const cells = await findCellsAsync({ width, height, data }, call);
  const number = new Uint32Array(cells.count + 1); // ids are 1 .. count
  let count = 0;
  for (let i = 0; i < cells.count; i++) {
    const [x, y] = [(cells.centroids[i * 2] as number) + 0.5, (cells.centroids[i * 2 + 1] as number) + 0.5];
    if (x >= (x0 as number) && y >= (y0 as number) && x < (x1 as number) && y < (y1 as number)) number[i + 1] = first + ++count;
  }
  const kept = new Uint32Array(data.length);
  for (let i = 0; i < kept.length; i++) kept[i] = number[data[i] as number] as number;
  return { mask: { width, height, data: kept }, count };
}

/**
 * As `segmentNuclei`, for slides: part by part, in rows from the top left, with memory for one part only. Parts overlap, and a nucleus
 * belongs to the part in which its centroid lies, where it is whole. Stains and threshold are settled once, from windows spread over the
 * slide, so that there are no seams.
 *
 * @param source an image that can be read part by part
 * @param options as for `segmentNuclei`, and the size of the parts
 * @param call `signal` ends the work; the next part then rejects with `UAM_ABORTED`
 * @throws UamError as `segmentNuclei`, and what `read` throws
 * @example
 * const [width, height] = [96, 64];
 * const read = ({ x: x0, y: y0, width: w, height: h }) => {
 *   const data = new Uint8Array(w * h * 3);
 *   for (let i = 0; i < w * h; i++) {
 *     const [x, y] = [x0 + (i % w), y0 + Math.floor(i / w)];
 *     data.set((x - 48) ** 2 + (y - 30) ** 2 < 64 ? [90, 60, 140] : [225, 170, 205], i * 3);
 *   }
 *   return { width: w, height: h, channels: 3, data };
 * };
 * for await (const { first, count } of segmentTiles({ width, height, read }, { mpp: 0.5, tile: 48 })) console.log(first, count);
 */
export async function* segmentTiles(
  source: RegionSource,
  options: SegmentTilesOptions = {},
  call: AsyncOptions = {},
): AsyncGenerator<SegmentedTile> {
  const { width, height, name } = source;
  const { tile = 2048 } = options;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new UamError('UAM_ARGUMENT', `segmentTiles: the source must be at least 1 x 1 pixels, received ${width} x ${height}`);
  }
  if (!Number.isInteger(tile) || tile < 16 || tile > 16384) {
    throw new UamError('UAM_ARGUMENT', `segmentTiles: tile must be a whole number from 16 to 16384, received ${String(tile)}`);
  }
  const warnings: ImageWarning[] = [];
  const { mpp } = inPixels(source, options, warnings);
  const settled = { ...(await settle(source, { ...options, mpp }, call)), mpp };
  const around = Math.ceil(margin / mpp);
  const [columns, rows] = [Math.ceil(width / tile), Math.ceil(height / tile)];
  let first = 0;
  for (let i = 0; i < columns * rows; i++) {
    const [left, top] = [(i % columns) * tile, Math.floor(i / columns) * tile];
    const [x, y] = [Math.max(0, left - around), Math.max(0, top - around)];
    const [right, bottom] = [Math.min(width, left + tile), Math.min(height, top + tile)];
    const region = { x, y, width: Math.min(width, right + around) - x, height: Math.min(height, bottom + around) - y };
    const image = await readChecked(source, region, call);
    const whole = await segmentNuclei({ ...image, name: image.name ?? name }, settled, call);
    const { mask, count } = await owned(whole.mask, [left - x, top - y, right - x, bottom - y], first, call);
    const told = i === 0 ? [...warnings, ...whole.warnings] : whole.warnings;
    yield {
      x,
      y,
      image,
      mask,
      count,
      first,
      done: i + 1,
      total: columns * rows,
      warnings: told.filter(({ code }) => code !== 'no_tissue' && code !== 'no_nuclei'),
    };
    first += count;
  }
}
