import { argumentError } from './failure.js';
import type { Plane, RasterImage } from './image.js';

/** Refuses images whose data do not have the size they claim. */
function checkImage({ width, height, channels, data }: RasterImage): void {
  if (data.length !== width * height * channels) {
    throw argumentError(
      `an image of ${width} x ${height} x ${channels} must hold ${width * height * channels} values, received ${data.length}`,
    );
  }
}

/**
 * The grey channel of an image: `[height, width]`. A grey image gives its own data (not a copy). RGB of 8 bits gives ITU-R BT.601
 * luma in 8 bits, rounded as PIL's `convert('L')` does it: `(19595 R + 38470 G + 7471 B + 32768) >> 16`; other depths give
 * `0.299 R + 0.587 G + 0.114 B` in float64.
 *
 * @throws `UAM_ARGUMENT` where the data do not have the size that the image claims
 * @example
 * const image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 255, 255, 200, 100, 50) };
 * console.log(greyPlane(image)); // Uint8Array [255, 124]
 */
export function greyPlane(image: RasterImage): Plane {
  checkImage(image);
  const { data } = image;
  if (image.channels === 1) return data;
  const pixels = image.width * image.height;
  if (data instanceof Uint8Array) {
    const grey = new Uint8Array(pixels);
    for (let p = 0, i = 0; p < pixels; p++, i += 3) {
      grey[p] = (19595 * data[i]! + 38470 * data[i + 1]! + 7471 * data[i + 2]! + 32768) >> 16;
    }
    return grey;
  }
  const grey = new Float64Array(pixels);
  for (let p = 0, i = 0; p < pixels; p++, i += 3) grey[p] = 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
  return grey;
}

/**
 * One colour of an RGB image: `[height, width]`, in the image's own type.
 *
 * @throws `UAM_ARGUMENT` where the image is grey, or the channel is not r, g or b
 * @example
 * const image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
 * console.log(channelPlane(image, 'g')); // Uint8Array [2, 5]
 */
export function channelPlane(image: RasterImage, channel: 'r' | 'g' | 'b'): Plane {
  checkImage(image);
  const offset = ['r', 'g', 'b'].indexOf(channel);
  if (offset < 0) throw argumentError(`a channel must be 'r', 'g' or 'b', received '${channel}'`);
  if (image.channels !== 3)
    throw argumentError(`channel '${channel}' was asked of ${image.name ?? 'an image'}, which is grey; use greyPlane`);
  const { data } = image;
  const plane = new (data.constructor as new (length: number) => Plane)(image.width * image.height);
  for (let p = 0; p < plane.length; p++) plane[p] = data[3 * p + offset]!;
  return plane;
}
