// A slide's pixels, in the pixels of a grid over it.
import { dataError } from '../image/failure.js';
import type { RasterImage } from '../image/image.js';
import type { OpenedImage } from '../image/open_image.js';
import { resampledFrom, resamplePart } from '../image/resample.js';
import type { Region } from '../image/tiff_read.js';
import type { SlideGrid } from './slide_grid.js';

/**
 * Reads a region of a slide. What comes does not depend on how the slide is cut into regions.
 *
 * @param region in pixels of the grid
 * @throws UamError as `OpenedImage.read`; `UAM_DATA` for a slide that is no 8-bit RGB
 */
export async function readGrid(slide: OpenedImage, grid: SlideGrid, region: Region, signal?: AbortSignal): Promise<RasterImage> {
  const { level, factors, levelWidth, levelHeight, mpp } = grid;
  const field = factors && { width: levelWidth, height: levelHeight, factors };
  const part = field ? resampledFrom(region, field) : region;
  const image = await slide.read({ ...part, level, ...(signal && { signal }) });
  if (image.channels !== 3 || !(image.data instanceof Uint8Array)) {
    const what = image.channels === 3 ? 'more than 8 bits a channel' : 'one channel (grey)';
    throw dataError(slide.name, `this slide has ${what}; slides are analysed in colour, RGB with 8 bits, as scanners write H&E`);
  }
  const pixels = field ? await resamplePart(image, region, field, signal) : image;
  return { ...pixels, mpp };
}
