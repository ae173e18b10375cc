import { mismatch } from '../errors.js';
import { Conv2d } from '../nn/conv.js';
import type { Initializer } from '../nn/initializer.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { GroupNorm } from '../nn/norm.js';
import { add } from '../ops/binary.js';
import { slice } from '../ops/copy_strided.js';
import { silu } from '../ops/unary.js';
import { upsampleBilinear } from '../ops/upsample_bilinear.js';
import { checkpoint } from '../tensor/checkpoint.js';
import { context } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkFeatures, checkLevels, type ImageFeatures, type LevelShape } from '../uam/image_features.js';

/** Channels of the decoder at every level. */
const WIDTH = 128;
const GROUPS = 8;

export interface SegmentationOptions {
  /** Maps that it reads, fine to coarse. */
  levels: readonly LevelShape[];
  /** Kinds of regions, each told apart from its absence; default 1: tumour. */
  regions?: number;
}

/**
 * Parameters of a segmentation head, without making it.
 *
 * @param channels of the levels
 * @example
 * segmentationParameterCount([32, 64, 128, 256]);   // 800641
 */
export function segmentationParameterCount(channels: readonly number[], regions = 1): number {
  const laterals = channels.reduce((sum, count) => sum + count * WIDTH + WIDTH, 0);
  return laterals + (channels.length + 1) * (9 * WIDTH * WIDTH + 2 * WIDTH) + WIDTH * regions + regions;
}

/** A 3x3 convolution, a group norm and SiLU; the norm makes a bias of the convolution pointless. */
class Smoothing extends Module {
  readonly #conv: Conv2d;
  readonly #norm: GroupNorm;

  constructor(start: Initializer) {
    super();
    this.#conv = this.child('conv', new Conv2d({ inputs: WIDTH, outputs: WIDTH, kernel: 3, padding: 1, bias: false }, start));
    this.#norm = this.child('norm', new GroupNorm(WIDTH, GROUPS, start));
  }

  forward(x: Tensor): Tensor {
    return silu(this.#norm.forward(this.#conv.forward(x)));
  }
}

/**
 * Regions from maps of features: from the coarsest level to the finest, each level brought to 128 channels by a 1x1 convolution, added
 * to the coarser ones (bilinearly twice as large) and smoothed by a 3x3 convolution, group norm and SiLU; at the finest level once more,
 * then a 1x1 convolution to the regions, and bilinearly to the pixels of the image. Parameters: `laterals.<i>.weight` (channels, 128),
 * `laterals.<i>.bias`, `levels.<i>.conv.weight` (128, 3, 3, 128), `levels.<i>.norm.`, `last.conv.weight`, `last.norm.`,
 * `logits.weight` (128, regions), `logits.bias`.
 *
 * @example
 * const levels = [{ name: 'res2', stride: 4, channels: 6 }, { name: 'res3', stride: 8, channels: 12 }];
 * const head = new SegmentationHead({ levels }, new Initializer(1));
 * const [fine, coarse] = [Tensor.zeros([1, 4, 4, 6]), Tensor.zeros([1, 2, 2, 12])];
 * const maps = [{ ...levels[0], height: 4, width: 4, tensor: fine }, { ...levels[1], height: 2, width: 2, tensor: coarse }];
 * const place = { height: 15, width: 13, mpp: 0.5, origin: Float64Array.of(0, 0), modelHash: undefined };
 * head.forward({ ...place, levels: maps }).shape;   // [1, 15, 13, 1]
 */
export class SegmentationHead extends Module {
  readonly #expected: readonly LevelShape[];
  readonly #laterals: readonly Linear[];
  readonly #levels: readonly Smoothing[];
  readonly #last: Smoothing;
  readonly #logits: Linear;

  constructor({ levels, regions = 1 }: SegmentationOptions, start: Initializer) {
    super();
    checkLevels(levels, 'segmentation');
    if (!(Number.isInteger(regions) && regions >= 1 && regions <= 255)) {
      throw mismatch('UAM_ARGUMENT', 'segmentation: regions', 'an integer from 1 to 255', String(regions));
    }
    this.#expected = levels;
    this.#laterals = levels.map(({ channels }, i) => this.child(`laterals.${i}`, new Linear(channels, WIDTH, start)));
    this.#levels = levels.map((_, i) => this.child(`levels.${i}`, new Smoothing(start)));
    this.#last = this.child('last', new Smoothing(start));
    this.#logits = this.child('logits', new Linear(WIDTH, regions, start));
  }

  /**
   * @param options `recompute`: keep only what goes into each level and compute the rest again in the backward pass. Default false.
   * @returns logits [images, height, width, regions], of the images' own size
   * @throws UamError `UAM_SHAPE` for features of other levels than those the head was made for
   */
  forward(features: ImageFeatures, { recompute = false }: { recompute?: boolean | undefined } = {}): Tensor {
    checkFeatures(features, this.#expected);
    const part = (block: (x: Tensor) => Tensor, x: Tensor) => {
      if (!context.recording) return scope(() => block(x));
      return recompute ? checkpoint(block, [x]) : block(x);
    };
    let sum: Tensor | undefined;
    for (let i = features.levels.length - 1; i >= 0; i--) {
      const { tensor, height, width } = features.levels[i] as ImageFeatures['levels'][number];
      const coarser = sum;
      sum = part((x) => {
        const own = (this.#laterals[i] as Linear).forward(x);
        return (this.#levels[i] as Smoothing).forward(coarser ? add(own, upsampleBilinear(coarser, [height, width])) : own);
      }, tensor);
    }
    const logits = part((x) => this.#logits.forward(this.#last.forward(x)), sum as Tensor);
    return this.#toPixels(logits, features);
  }

  #toPixels(logits: Tensor, { height, width, levels }: ImageFeatures): Tensor {
    const stride = levels[0]?.stride as number;
    const [images, rows, columns, regions] = logits.shape as [number, number, number, number];
    const size = [rows * stride, columns * stride] as const;
    const pixels = upsampleBilinear(logits, size);
    return size[0] === height && size[1] === width ? pixels : slice(pixels, [0, 0, 0, 0], [images, height, width, regions]);
  }
}
