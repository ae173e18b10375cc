// What the head of a slide's file says: sizes, levels, micrometres per pixel.
import { decoding } from '../image/failure.js';
import type { ImageWarning } from '../image/image.js';
import { type ImageLevel, openImage } from '../image/open_image.js';
import { givenMpp, plausibleMpp } from '../image/pixel_size.js';
import { Warnings } from '../image/warnings.js';
import { mustUnpack } from './unpack_slide.js';

export interface SlideFacts {
  width: number;
  height: number;
  levels: readonly Pick<ImageLevel, 'width' | 'height'>[];
  mpp: readonly [x: number, y: number] | undefined;
  name: string;
  /** It can be read only from beginning to end. */
  unpack: boolean;
  warnings: readonly ImageWarning[];
}

const PER_INCH = 25400;

/**
 * @param mpp what the user gives wins over what the file says
 * @throws UamError as `openImage`
 */
export async function slideFacts(path: string, mpp?: number | readonly [x: number, y: number]): Promise<SlideFacts> {
  if (await mustUnpack(path)) return packedFacts(path, mpp);
  const { width, height, levels, mpp: found, name, warnings, close } = await openImage(path, mpp === undefined ? {} : { mpp });
  await close();
  return { width, height, levels, mpp: found, name, warnings, unpack: false };
}

/** Of a PNG or JPEG, whose pixels (and, of a large one, whose bytes) are not to be held. */
async function packedFacts(path: string, mpp: number | readonly [x: number, y: number] | undefined): Promise<SlideFacts> {
  const { default: sharp } = await import('sharp');
  const { width, height, density } = await decoding(path, 'this image cannot be read', () =>
    sharp(path, { limitInputPixels: false }).metadata(),
  );
  const warnings = new Warnings();
  const size = PER_INCH / (density ?? Number.POSITIVE_INFINITY);
  const found = mpp === undefined && density ? plausibleMpp(size, size, `resolution of ${path}`, warnings) : undefined;
  const list = warnings.list;
  return { width, height, levels: [{ width, height }], mpp: givenMpp(mpp) ?? found, name: path, warnings: list, unpack: true };
}
