import type { FileInput } from './byte_source.js';
import type { ImageWarning, RasterImage } from './image.js';
import { type OpenImageOptions, openImage } from './open_image.js';
import type { Region } from './tiff_read.js';

/** How an image is read. */
export interface ReadImageOptions extends OpenImageOptions {
  /** The level of a pyramid: 0, the default, is the full resolution. */
  level?: number;
  /** The part to read, in pixels of the level; by default all. */
  region?: Region;
  signal?: AbortSignal;
}

/**
 * Reads an image, or a region of it, into memory: PNG, JPEG, TIFF (tiled, pyramidal, OME-TIFF, SVS with JPEG tiles), told apart by
 * their first bytes. Values are those that the file stores: 8-bit images give a `Uint8Array`, 16-bit ones a `Uint16Array`, floats
 * stay floats; colour profiles and orientation are not applied, transparent pixels are put over white; `warnings` says what was
 * left out. `mpp` is the pixel size in micrometres: the option, else OME-XML, Aperio's or ImageJ's description, or the resolution
 * tags, if it lies in 0.05 to 10 um.
 *
 * @param input the path of a file, or its bytes
 * @returns `data` of `[height, width, channels]`, channels 1 (grey) or 3 (RGB)
 * @throws `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or of an unsupported kind, `UAM_DATA` where it
 * has more than `maxPixels`, `UAM_ARGUMENT` where the region, level or page does not exist, `UAM_ABORTED`
 * @example
 * const png = await encodeMask({ width: 2, height: 2, data: Uint32Array.of(0, 7, 7, 300) });
 * const image = await readImage(png, { mpp: 0.5 });
 * console.log(image.width, image.height, image.channels, image.data, image.mpp); // 2 2 1 Uint16Array [0, 7, 7, 300] [0.5, 0.5]
 */
export async function readImage(input: FileInput, options: ReadImageOptions = {}): Promise<RasterImage & { warnings: ImageWarning[] }> {
  const { level, region, signal, ...opening } = options;
  const image = await openImage(input, opening);
  try {
    const pixels = await image.read({ ...region, ...(level !== undefined && { level }), ...(signal && { signal }) });
    return { ...pixels, warnings: [...image.warnings] };
  } finally {
    await image.close();
  }
}
