import { UamError } from '../errors.js';
import { shortName } from './byte_source.js';

interface Sized {
  width: number;
  height: number;
  name?: string | undefined;
}

/**
 * Refuses an image and a mask that do not cover each other pixel by pixel.
 *
 * @throws `UAM_SHAPE`, naming both files and sizes
 * @example
 * checkSameSize({ width: 10, height: 8 }, { width: 10, height: 8 });
 * try {
 *   checkSameSize({ width: 10, height: 8, name: 'a.png' }, { width: 8, height: 10, name: 'a_labels.png' });
 * } catch (error) {
 *   console.log(error.message); // a_labels.png is 8 x 10 pixels, but its image a.png is 10 x 8; ... transposed ...
 * }
 */
export function checkSameSize(image: Sized, mask: Sized): void {
  if (image.width === mask.width && image.height === mask.height) return;
  const turned = image.width === mask.height && image.height === mask.width;
  throw new UamError(
    'UAM_SHAPE',
    `${shortName(mask.name, 'the mask')} is ${mask.width} x ${mask.height} pixels, but its image${image.name ? ` ${shortName(image.name, '')}` : ''} ` +
      `is ${image.width} x ${image.height}; ` +
      (turned
        ? 'the mask seems to be transposed: swap its axes'
        : 'both must cover the same pixels: export the mask at the size of the image'),
  );
}
