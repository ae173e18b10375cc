import { mismatch, UamError } from '../errors.js';
import { Conv2d } from '../nn/conv.js';
import type { Initializer } from '../nn/initializer.js';
import { Linear, project } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { LayerNorm } from '../nn/norm.js';
import { add, mul } from '../ops/binary.js';
import { geluErf } from '../ops/unary.js';
import { bring } from '../tensor/bring.js';
import { checkpoint } from '../tensor/checkpoint.js';
import { context } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { format } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ImageBatch, ImageFeatures, LevelShape } from './image_features.js';

export interface EncoderConfig {
  /** Channels of the levels, from fine to coarse: the first has stride 4, each other twice that of the one before. */
  channels: readonly number[];
  /** Blocks of each level. */
  depths: readonly number[];
}

/** `B` is the encoder of the specification, with 1,899,872 parameters; `S` learns in minutes on two cores. */
export const ENCODER_SIZES = Object.freeze({
  S: { channels: [16, 32, 64, 128], depths: [1, 1, 2, 1] },
  B: { channels: [32, 64, 128, 256], depths: [2, 2, 4, 2] },
} as const);
export type EncoderSize = keyof typeof ENCODER_SIZES;

/** Pixels from one point of the finest level to the next. */
const FINEST = 4;
const KERNEL = 7;
const EXPANSION = 4;
/** What a block's branch is multiplied by at the start: blocks begin near the identity. */
const FIRST_SCALE = 0.1;

/**
 * A complete, checked configuration.
 *
 * @throws UamError `UAM_ARGUMENT`
 * @example
 * encoderConfig({ size: 'S' }).channels;   // [16, 32, 64, 128]
 */
export function encoderConfig({ size = 'B', ...given }: Partial<EncoderConfig> & { size?: EncoderSize } = {}): EncoderConfig {
  if (!Object.hasOwn(ENCODER_SIZES, size)) throw mismatch('UAM_ARGUMENT', 'encoder: size', 'S or B', String(size));
  const unknown = Object.keys(given).find((name) => name !== 'channels' && name !== 'depths');
  if (unknown !== undefined) throw mismatch('UAM_ARGUMENT', 'encoder: settings', 'size, channels, depths', `'${unknown}'`);
  const { channels, depths } = { ...ENCODER_SIZES[size], ...given };
  const whole = (list: readonly number[], least: number, most: number) =>
    Array.isArray(list) && list.length >= 1 && list.length <= 8 && list.every((n) => Number.isInteger(n) && n >= least && n <= most);
  if (!whole(channels, 1, 8192)) throw mismatch('UAM_ARGUMENT', 'encoder: channels', '1 to 8 integers from 1 to 8192', format(channels));
  if (!whole(depths, 0, 256)) throw mismatch('UAM_ARGUMENT', 'encoder: depths', '1 to 8 integers from 0 to 256', format(depths));
  if (channels.length !== depths.length) {
    throw mismatch('UAM_ARGUMENT', 'encoder: depths', `one per level (${channels.length})`, String(depths.length));
  }
  return { channels: [...channels], depths: [...depths] };
}

/** The levels of the built-in encoder: `res2` at stride 4, `res3` at 8, ... */
export const encoderLevels = ({ channels }: EncoderConfig): LevelShape[] =>
  channels.map((count, i) => ({ name: `res${i + 2}`, stride: FINEST * 2 ** i, channels: count }));

/**
 * Parameters of an encoder, without making it.
 *
 * @example
 * encoderParameterCount(encoderConfig());   // 1899872
 */
export function encoderParameterCount({ channels, depths }: EncoderConfig): number {
  return channels.reduce((total, c, i) => {
    const before = channels[i - 1];
    const entry = before ? 2 * before + 4 * before * c + c : FINEST ** 2 * 3 * c + c + 2 * c;
    const block = KERNEL ** 2 * c + c + 2 * c + 2 * EXPANSION * c * c + EXPANSION * c + c + c;
    return total + entry + (depths[i] as number) * block;
  }, 0);
}

/**
 * A block of ConvNeXt (Liu et al. 2022): x + scale * W2 GELU(W1 LN(conv(x))), where conv is depthwise and 7 x 7. Parameters:
 * `depthwise.weight` (channels, 7, 7, 1), `depthwise.bias`, `norm.weight`, `norm.bias`, `expand.weight` (channels, 4 channels),
 * `expand.bias`, `reduce.weight` (4 channels, channels), `reduce.bias`, `scale` (channels).
 */
class ConvNextBlock extends Module {
  readonly #depthwise: Conv2d;
  readonly #norm: LayerNorm;
  readonly #expand: Linear;

  constructor(channels: number, start: Initializer) {
    super();
    const depthwise = { inputs: channels, outputs: channels, groups: channels, kernel: KERNEL, padding: (KERNEL - 1) / 2 };
    this.#depthwise = this.child('depthwise', new Conv2d(depthwise, start));
    this.#norm = this.child('norm', new LayerNorm(channels, start));
    this.#expand = this.child('expand', new Linear(channels, EXPANSION * channels, start));
    this.parameter('reduce.weight', start.matrix([EXPANSION * channels, channels]));
    this.parameter('reduce.bias', start.constant([channels], 0));
    this.parameter('scale', start.constant([channels], FIRST_SCALE));
  }

  forward(x: Tensor): Tensor {
    const inner = geluErf(this.#expand.forward(this.#norm.forward(this.#depthwise.forward(x))));
    // The scale goes into the matrix: nothing passes over the image for its sake.
    const scaled = (name: string) => mul(this.get(name), this.get('scale'));
    return add(x, project(inner, scaled('reduce.weight'), { bias: scaled('reduce.bias') }));
  }
}

/** One level: what brings the image or the level before to its stride and channels, and its blocks. */
class Stage extends Module {
  /** Norm and convolution, in the order of the forward pass. */
  readonly #entry: readonly (LayerNorm | Conv2d)[];
  readonly #blocks: readonly ConvNextBlock[];

  constructor(before: number | undefined, channels: number, depth: number, start: Initializer) {
    super();
    if (before === undefined) {
      const conv = this.child('conv', new Conv2d({ inputs: 3, outputs: channels, kernel: FINEST, stride: FINEST }, start));
      this.#entry = [conv, this.child('norm', new LayerNorm(channels, start))];
    } else {
      const norm = this.child('norm', new LayerNorm(before, start));
      this.#entry = [norm, this.child('conv', new Conv2d({ inputs: before, outputs: channels, kernel: 2, stride: 2 }, start))];
    }
    this.#blocks = Array.from({ length: depth }, (_, i) => this.child(`blocks.${i}`, new ConvNextBlock(channels, start)));
  }

  forward(x: Tensor, recompute: boolean): Tensor {
    const through = (layer: ConvNextBlock | LayerNorm | Conv2d, input: Tensor) => {
      // Where nothing is differentiated, what is inside a block is gone when it ends.
      if (!context.recording) return scope(() => layer.forward(input));
      return recompute && layer instanceof ConvNextBlock ? checkpoint((given) => layer.forward(given), [input]) : layer.forward(input);
    };
    return [...this.#entry, ...this.#blocks].reduce((state, layer) => through(layer, state), x);
  }
}

/**
 * The built-in encoder, trained with what reads it: RGB images to maps at strides 4, 8, 16, ... in the style of ConvNeXt (Liu et al.
 * 2022), a norm and a convolution before each level and blocks of a 7 x 7 depthwise convolution, a layer norm and a perceptron.
 * Parameters are called `stages.<i>.conv.`, `stages.<i>.norm.` and `stages.<i>.blocks.<j>.` and their names in those.
 *
 * @example
 * const encoder = new ImageEncoder(encoderConfig({ size: 'S' }), new Initializer(1));
 * const image = { width: 40, height: 30, channels: 3 as const, data: new Uint8Array(40 * 30 * 3), mpp: [0.5, 0.5] as const };
 * const { levels } = noGrad(() => encoder.forward(imageBatch([image])));
 * levels.map(({ tensor }) => tensor.shape);   // [1, 8, 16, 16], [1, 4, 8, 32], [1, 2, 4, 64], [1, 1, 2, 128]
 */
export class ImageEncoder extends Module {
  readonly levels: readonly LevelShape[];
  readonly #stages: readonly Stage[];

  /** @param config see `encoderConfig` */
  constructor(
    readonly config: EncoderConfig,
    start: Initializer,
  ) {
    super();
    const { channels, depths } = config;
    this.levels = encoderLevels(config);
    this.#stages = channels.map((count, i) => this.child(`stages.${i}`, new Stage(channels[i - 1], count, depths[i] as number, start)));
  }

  /**
   * @param images filled up to whole points of the coarsest level: see `imageBatch`
   * @param options `recompute`: keep only what goes into each block and compute the rest again in the backward pass; less memory, more
   *   time. Default false.
   * @throws UamError `UAM_SHAPE`
   */
  forward({ pixels, ...place }: ImageBatch, { recompute = false }: { recompute?: boolean | undefined } = {}): ImageFeatures {
    const coarsest = this.levels.at(-1)?.stride as number;
    const [count, height = 0, width = 0, colours] = pixels.shape;
    if (pixels.shape.length !== 4 || colours !== 3 || height === 0 || width === 0 || height % coarsest !== 0 || width % coarsest !== 0) {
      const expected = `[images, height, width, 3] with multiples of ${coarsest}`;
      throw mismatch('UAM_SHAPE', 'image encoder: pixels', expected, format(pixels.shape), 'make them with imageBatch');
    }
    if (place.origin.length !== 2 * (count as number)) {
      throw new UamError('UAM_SHAPE', `image encoder: expected an origin for each of ${count} images, received ${place.origin.length / 2}`);
    }
    let x = bring(pixels, this.device);
    const levels = this.#stages.map((stage, i) => {
      x = stage.forward(x, recompute);
      return { ...(this.levels[i] as LevelShape), height: x.shape[1] as number, width: x.shape[2] as number, tensor: x };
    });
    return { ...place, levels, modelHash: undefined };
  }
}
