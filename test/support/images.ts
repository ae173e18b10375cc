// Small images and features for the tests of image encoders and joint models.
import { type RasterImage, Tensor } from '../../src/index.js';
import type { ImageFeatures, LevelShape } from '../../src/uam/image_features.js';
import { levelLength } from '../../src/uam/image_features.js';
import { randomTensor, uniform } from './random.js';

/** An image of random bytes. */
export function noiseImage(width: number, height: number, seed = 1, mpp = 0.5): RasterImage {
  const next = uniform(seed);
  return { width, height, channels: 3, data: Uint8Array.from({ length: width * height * 3 }, () => 256 * next()), mpp: [mpp, mpp] };
}

/** Random maps of `count` images of this size. */
export function randomFeatures(
  levels: readonly LevelShape[],
  [width, height]: readonly [number, number],
  { count = 1, seed = 5, mpp = 0.5, modelHash }: { count?: number; seed?: number; mpp?: number; modelHash?: string } = {},
): ImageFeatures {
  const coarsest = levels.at(-1)?.stride as number;
  const maps = levels.map((level, i) => {
    const size = { height: levelLength(height, level.stride, coarsest), width: levelLength(width, level.stride, coarsest) };
    return { ...level, ...size, tensor: randomTensor([count, size.height, size.width, level.channels], seed + i) };
  });
  return { levels: maps, width, height, mpp, origin: new Float64Array(2 * count), modelHash };
}

/** The same features in float64. */
export const doubledFeatures = (features: ImageFeatures): ImageFeatures => ({
  ...features,
  levels: features.levels.map((level) => ({ ...level, tensor: Tensor.from(Float64Array.from(level.tensor.data), level.tensor.shape) })),
});
