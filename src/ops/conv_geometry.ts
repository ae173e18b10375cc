import { mismatch, UamError } from '../errors.js';
import type { FloatArray } from '../tensor/arena.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './check.js';

/** A length along rows and columns: one number for both, or [rows, columns]. */
export type Pair = number | readonly [number, number];

/**
 * The geometry that all convolutions share (native/conv_geometry.h): a kernel slides over an image, and each of its positions is a
 * point of a grid. conv2d reads the image and writes the grid, convTranspose2d the opposite. Channels are those of one group.
 */
export interface ConvGeometry {
  batch: number;
  groups: number;
  imageHeight: number;
  imageWidth: number;
  imageChannels: number;
  gridHeight: number;
  gridWidth: number;
  gridChannels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideY: number;
  strideX: number;
  dilationY: number;
  dilationX: number;
  paddingY: number;
  paddingX: number;
}

export interface ConvOptions {
  /** [outputs]; default none. */
  bias?: Tensor | undefined;
  /** Image pixels from one kernel position to the next. Default 1. */
  stride?: Pair;
  /** Zeros around the image. Default 0. */
  padding?: Pair;
  /** Image pixels from one tap of the kernel to the next. Default 1. */
  dilation?: Pair;
  /** Channels are split into so many groups that do not mix. Default 1. */
  groups?: number;
}

/** [rows, columns] of an option, each an integer >= `least`. */
export function pairOf(op: string, name: string, value: Pair, least: number): [number, number] {
  const pair = typeof value === 'number' ? [value, value] : [...value];
  if (pair.length !== 2 || !pair.every((n) => Number.isInteger(n) && n >= least && n < 2 ** 24)) {
    throw mismatch('UAM_ARGUMENT', `${op}: ${name}`, `an integer >= ${least} or two of them, for rows and columns`, JSON.stringify(value));
  }
  return pair as [number, number];
}

/** What the options say about rows and columns. */
export function stepsOf(op: string, options: ConvOptions) {
  const [strideY, strideX] = pairOf(op, 'stride', options.stride ?? 1, 1);
  const [paddingY, paddingX] = pairOf(op, 'padding', options.padding ?? 0, 0);
  const [dilationY, dilationX] = pairOf(op, 'dilation', options.dilation ?? 1, 1);
  return { strideY, strideX, paddingY, paddingX, dilationY, dilationX };
}

/** Checks x [batch, height, width, channels], weight of four axes, and the channels that one group of x has. */
export function requireConvTensors(op: string, x: Tensor, weight: Tensor, options: ConvOptions): { groups: number; channels: number } {
  const shapes = { x: '[batch, height, width, channels]', weight: 'of four axes: kernels lie on the second and third' };
  for (const [name, tensor] of Object.entries({ x, weight })) {
    requireTensor(op, name, tensor);
    if (tensor.shape.length !== 4)
      throw mismatch('UAM_SHAPE', `${op}: ${name}`, shapes[name as 'x' | 'weight'], `[${tensor.shape.join(', ')}]`);
  }
  if (options.bias) requireTensor(op, 'bias', options.bias);
  const { groups = 1 } = options;
  const channels = x.shape[3] as number;
  if (!Number.isInteger(groups) || groups < 1) throw mismatch('UAM_ARGUMENT', `${op}: groups`, 'an integer >= 1', String(groups));
  if (channels % groups !== 0)
    throw new UamError('UAM_SHAPE', `${op}: the ${channels} channels of x cannot be split into ${groups} groups`);
  return { groups, channels: channels / groups };
}

/** Calls `visit` with the offsets of the image element, the grid element and the weight of every product that takes part. */
function eachProduct(g: ConvGeometry, visit: (image: number, grid: number, weight: number) => void): void {
  for (let n = 0; n < g.batch; n++) {
    for (let gy = 0; gy < g.gridHeight; gy++) {
      for (let gx = 0; gx < g.gridWidth; gx++) {
        for (let ky = 0; ky < g.kernelHeight; ky++) {
          for (let kx = 0; kx < g.kernelWidth; kx++) {
            const iy = gy * g.strideY + ky * g.dilationY - g.paddingY;
            const ix = gx * g.strideX + kx * g.dilationX - g.paddingX;
            if (iy < 0 || iy >= g.imageHeight || ix < 0 || ix >= g.imageWidth) continue;
            for (let group = 0; group < g.groups; group++) {
              const image = (((n * g.imageHeight + iy) * g.imageWidth + ix) * g.groups + group) * g.imageChannels;
              const grid = (((n * g.gridHeight + gy) * g.gridWidth + gx) * g.groups + group) * g.gridChannels;
              for (let o = 0; o < g.gridChannels; o++) {
                const weight = (((group * g.gridChannels + o) * g.kernelHeight + ky) * g.kernelWidth + kx) * g.imageChannels;
                for (let i = 0; i < g.imageChannels; i++) visit(image + i, grid + o, weight + i);
              }
            }
          }
        }
      }
    }
  }
}

function biasEverywhere(length: number, bias: FloatArray | undefined): Float64Array {
  return bias ? Float64Array.from({ length }, (_, i) => bias[i % bias.length] as number) : new Float64Array(length);
}

/** grid = bias + weight * image: the definition of convolution. */
export function imageToGrid(g: ConvGeometry, image: FloatArray, weight: FloatArray, bias: FloatArray | undefined, grid: FloatArray): void {
  const sums = biasEverywhere(grid.length, bias);
  eachProduct(g, (i, o, w) => {
    (sums[o] as number) += (weight[w] as number) * (image[i] as number);
  });
  grid.set(sums);
}

/** image = bias + the transpose of weight * grid: the definition of transposed convolution. */
export function gridToImage(g: ConvGeometry, grid: FloatArray, weight: FloatArray, bias: FloatArray | undefined, image: FloatArray): void {
  const sums = biasEverywhere(image.length, bias);
  eachProduct(g, (i, o, w) => {
    (sums[i] as number) += (weight[w] as number) * (grid[o] as number);
  });
  image.set(sums);
}

/** dWeight = the sum of grid * image over the pixels that each weight joined. */
export function weightGradient(g: ConvGeometry, image: FloatArray, grid: FloatArray, dWeight: FloatArray): void {
  const sums = new Float64Array(dWeight.length);
  eachProduct(g, (i, o, w) => {
    (sums[w] as number) += (grid[o] as number) * (image[i] as number);
  });
  dWeight.set(sums);
}

/** sums[c] = the sum of x[..., c]. */
export function channelSums(x: FloatArray, sums: FloatArray): void {
  const totals = new Float64Array(sums.length);
  x.forEach((value, i) => {
    (totals[i % totals.length] as number) += value;
  });
  sums.set(totals);
}
