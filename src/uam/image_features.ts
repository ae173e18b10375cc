// What the model sees of an image, wherever it comes from: maps at several strides, and where they lie.
import { mismatch, UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import { format } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** What a map of features is called, how coarse it is, and how much it holds. */
export interface LevelShape {
  name: string;
  /** Pixels of the image from one point of the map to the next. */
  stride: number;
  channels: number;
}

/** One map of each image. */
export interface FeatureLevel extends LevelShape {
  height: number;
  width: number;
  /** [images, height, width, channels] */
  tensor: Tensor;
}

/** Where images of one size lie. */
export interface ImagePlace {
  /** Rows of pixels of each image. */
  height: number;
  /** Pixels per row. */
  width: number;
  /** Micrometres per pixel. */
  mpp: number;
  /** `[images, 2]`: x and y of the centre of each image's first pixel, in micrometres, as the cells' positions are given. */
  origin: Float64Array;
}

/** Features of images of one size, from fine to coarse; each level's stride is twice that of the one before. */
export interface ImageFeatures extends ImagePlace {
  levels: readonly FeatureLevel[];
  /** Names the model that made them, with its weights; undefined where they are trained together with what reads them. */
  modelHash: string | undefined;
}

/** RGB images as an encoder takes them in. */
export interface ImageBatch extends ImagePlace {
  /** [images, paddedHeight, paddedWidth, 3]: see `imageBatch`. */
  pixels: Tensor;
}

/** What is subtracted from red, green and blue, from 0 to 255, and what the rest is divided by. */
export interface PixelScale {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** Means and standard deviations of natural images, which most published encoders were trained with. */
export const PIXEL_SCALE: PixelScale = Object.freeze({
  mean: Object.freeze([123.675, 116.28, 103.53] as const),
  std: Object.freeze([58.395, 57.12, 57.375] as const),
});

/** The length of an axis once it is filled up to whole points of the coarsest level. */
export const paddedLength = (length: number, coarsest: number): number => Math.ceil(length / coarsest) * coarsest;

/** How many points a level has along an axis of `length` pixels: levels cover the image filled up for the coarsest of them. */
export const levelLength = (length: number, stride: number, coarsest: number): number => paddedLength(length, coarsest) / stride;

/**
 * Refuses levels that cannot be used together.
 *
 * @param what names them in errors
 * @throws UamError `UAM_ARGUMENT` where they do not come from fine to coarse, each of twice the stride of the one before
 */
export function checkLevels(levels: readonly LevelShape[], what: string): void {
  if (levels.length === 0) throw new UamError('UAM_ARGUMENT', `${what}: expected at least one level of features, received none`);
  levels.forEach(({ name, stride, channels }, i) => {
    const before = levels[i - 1];
    const wanted = before ? 2 * before.stride : stride;
    if (!(Number.isInteger(stride) && stride >= 1 && stride <= 4096 && stride === wanted)) {
      const expected = before ? `${wanted}, twice that of ${before.name}` : 'an integer from 1 to 4096';
      throw mismatch('UAM_ARGUMENT', `${what}: the stride of ${name}`, expected, String(stride), 'list levels from fine to coarse');
    }
    if (!(Number.isInteger(channels) && channels >= 1 && channels <= 65536)) {
      throw mismatch('UAM_ARGUMENT', `${what}: the channels of ${name}`, 'an integer from 1 to 65536', String(channels));
    }
    if (levels.findIndex((other) => other.name === name) !== i) {
      throw new UamError('UAM_ARGUMENT', `${what}: two levels are called '${name}'`);
    }
  });
}

/**
 * Refuses features whose maps are not those that a model was made for, or do not fit their images.
 *
 * @throws UamError `UAM_SHAPE` naming the level
 */
export function checkFeatures({ levels, height, width, origin }: ImageFeatures, expected: readonly LevelShape[]): void {
  const list = (some: readonly LevelShape[]) => some.map(({ name, stride, channels }) => `${name} (${channels} at 1/${stride})`).join(', ');
  const same = (a: LevelShape, b: LevelShape | undefined) => b && a.name === b.name && a.stride === b.stride && a.channels === b.channels;
  if (levels.length !== expected.length || !levels.every((level, i) => same(level, expected[i]))) {
    throw mismatch('UAM_SHAPE', 'image features: levels', list(expected), list(levels), 'use the encoder that the model was made for');
  }
  const coarsest = expected.at(-1)?.stride as number;
  for (const { name, stride, channels, tensor } of levels) {
    const shape = [origin.length / 2, levelLength(height, stride, coarsest), levelLength(width, stride, coarsest), channels];
    if (tensor.shape.length !== 4 || !shape.every((n, axis) => n === tensor.shape[axis])) {
      throw mismatch('UAM_SHAPE', `image features: ${name} of ${width} x ${height} pixels`, format(shape), format(tensor.shape));
    }
  }
}

/** Copies one image's pixels, scaled, into its place; beyond the image its last row and column go on. */
function fill(target: Float32Array, image: RasterImage, [height, width]: readonly [number, number], { mean, std }: PixelScale): void {
  const { data, channels } = image;
  const toByte = data instanceof Uint16Array ? 255 / 65535 : 1;
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = Math.min(y, image.height - 1) * image.width;
    for (let x = 0; x < width; x++) {
      const pixel = (row + Math.min(x, image.width - 1)) * channels;
      for (let c = 0; c < 3; c++) {
        const value = (data[channels === 3 ? pixel + c : pixel] as number) * toByte;
        target[at++] = (value - (mean[c] as number)) / (std[c] as number);
      }
    }
  }
}

export interface ImageBatchOptions {
  /** Micrometres per pixel, whatever the images say. */
  mpp?: number | undefined;
  /** `[images, 2]`, see `ImagePlace`. Default: zeros, positions are counted from each image's own first pixel. */
  origin?: Float64Array | undefined;
  /** Heights and widths are filled up to multiples of this: the stride of the encoder's coarsest level. Default 32. */
  multiple?: number;
  /** Default `PIXEL_SCALE`. */
  scale?: PixelScale;
}

/** The pixel size that images agree in. */
function pixelSizeOf(images: readonly RasterImage[], given: number | undefined): number {
  const sizes = given === undefined ? images.flatMap(({ mpp }) => mpp ?? [Number.NaN]) : [given];
  const first = sizes[0] as number;
  if (!sizes.every((size) => size > 0 && Math.abs(size / first - 1) < 0.01)) {
    const received = sizes.slice(0, 4).map((size) => (Number.isNaN(size) ? 'unknown' : String(size)));
    const expected = 'one number above 0 for both axes and all images';
    throw mismatch('UAM_DATA', 'imageBatch: micrometres per pixel', expected, received.join(', '), 'resample the images, or give mpp');
  }
  return first;
}

/**
 * Images of one size as an encoder takes them in: red, green and blue from 0 to 255, less their mean, over their standard deviation.
 * Grey stands for all three. 16-bit values are brought to 0 ... 255.
 *
 * @param images of one size and pixel size
 * @throws UamError `UAM_SHAPE` where sizes differ or data do not fit theirs; `UAM_DATA` where the pixel size is not known or differs
 * @example
 * const image = { width: 40, height: 30, channels: 3 as const, data: new Uint8Array(40 * 30 * 3), mpp: [0.5, 0.5] as const };
 * imageBatch([image]).pixels.shape;   // [1, 32, 64, 3]
 */
export function imageBatch(images: readonly RasterImage[], options: ImageBatchOptions = {}): ImageBatch {
  const { multiple = 32, scale = PIXEL_SCALE } = options;
  const [first] = images;
  if (!first) throw new UamError('UAM_ARGUMENT', 'imageBatch: expected at least one image, received none');
  const { height, width } = first;
  if (!(height >= 1 && width >= 1)) throw mismatch('UAM_SHAPE', 'imageBatch: an image', 'of at least one pixel', `${width} x ${height}`);
  for (const image of images) {
    const name = image.name ?? 'an image';
    if (image.height !== height || image.width !== width) {
      throw mismatch('UAM_SHAPE', `imageBatch: ${name}`, `${width} x ${height}, as the first`, `${image.width} x ${image.height}`);
    }
    const length = height * width * image.channels;
    if (image.data.length !== length) {
      throw mismatch('UAM_SHAPE', `imageBatch: the data of ${name}`, `${length} values`, String(image.data.length));
    }
  }
  const { origin = new Float64Array(2 * images.length) } = options;
  if (origin.length !== 2 * images.length) {
    throw mismatch('UAM_SHAPE', 'imageBatch: origin', `x and y of ${images.length} images`, `${origin.length} numbers`);
  }
  const mpp = pixelSizeOf(images, options.mpp);
  const padded = [paddedLength(height, multiple), paddedLength(width, multiple)] as const;
  const pixels = Tensor.empty([images.length, ...padded, 3]);
  images.forEach((image, n) => fill(pixels.rows(n, n + 1).data as Float32Array, image, padded, scale));
  return { pixels, height, width, mpp, origin };
}
