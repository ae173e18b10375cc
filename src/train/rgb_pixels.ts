import { UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import type { Pace } from './pace.js';

/** Values of a 16-bit image per value of an 8-bit one. */
const WIDE = 65535 / 255;

/**
 * An image as the encoder learns from it: 8-bit RGB. Grey becomes three equal channels, 16 bits are scaled; 8-bit RGB is passed on as it is.
 *
 * @throws UamError `UAM_DATA` for floats, whose white could be anything
 */
export async function rgbPixels(image: RasterImage, pace: Pace): Promise<RasterImage & { data: Uint8Array }> {
  const { data, channels, name = 'the image' } = image;
  if (!(data instanceof Uint8Array) && !(data instanceof Uint16Array)) {
    throw new UamError('UAM_DATA', `${name}: its pixels are floats, of which nobody says what is white; save it with 8 or 16 bits`);
  }
  if (data instanceof Uint8Array && channels === 3) return { ...image, data };
  const scale = data instanceof Uint16Array ? 1 / WIDE : 1;
  const out = new Uint8Array(3 * image.width * image.height);
  for (let i = 0; i < out.length; i++) {
    out[i] = Math.round((data[channels === 3 ? i : (i / 3) | 0] as number) * scale);
    if ((i & 0xfffff) === 0) await pace.rest();
  }
  return { ...image, channels: 3, data: out };
}
