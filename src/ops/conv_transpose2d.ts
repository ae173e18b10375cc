import { UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape } from './check.js';
import {
  type ConvGeometry,
  type ConvOptions,
  channelSums,
  gridToImage,
  imageToGrid,
  type Pair,
  pairOf,
  requireConvTensors,
  stepsOf,
  weightGradient,
} from './conv_geometry.js';

type ConvTranspose2dFwdParams = ConvGeometry & { x: FloatArray; weight: FloatArray; bias: FloatArray | undefined; y: FloatArray };
type ConvTranspose2dBwdInputParams = ConvGeometry & { dy: FloatArray; weight: FloatArray; dx: FloatArray };
type ConvTranspose2dBwdWeightParams = ConvGeometry & {
  x: FloatArray;
  dy: FloatArray;
  dWeight: FloatArray | undefined;
  dBias: FloatArray | undefined;
};

const convTranspose2dFwd = kernel<ConvTranspose2dFwdParams>('conv_transpose2d_fwd', (p) => gridToImage(p, p.x, p.weight, p.bias, p.y));

const convTranspose2dBwdInput = kernel<ConvTranspose2dBwdInputParams>('conv_transpose2d_bwd_input', (p) =>
  imageToGrid(p, p.dy, p.weight, undefined, p.dx),
);

const convTranspose2dBwdWeight = kernel<ConvTranspose2dBwdWeightParams>('conv_transpose2d_bwd_weight', (p) => {
  if (p.dWeight) weightGradient(p, p.dy, p.x, p.dWeight);
  if (p.dBias) channelSums(p.dy, p.dBias);
});

export interface ConvTranspose2dOptions extends ConvOptions {
  /** Rows and columns added at the bottom and the right, less than the stride or the dilation. Default 0. */
  outputPadding?: Pair;
}

/**
 * 2-D transposed convolution, channels last: the adjoint of `conv2d`. Every input pixel adds weight times itself to the output
 * pixels that a convolution of the same geometry would have read it from:
 * y[n, iy stride + ky dilation - padding, ix ..., o] += weight[i, ky, kx, o] x[n, iy, ix, i], plus bias[o].
 *
 * @param x [batch, height, width, inputs]
 * @param weight [inputs, kernelHeight, kernelWidth, outputs / groups]: PyTorch's weight with its axes permuted by (0, 2, 3, 1)
 * @returns [batch, outHeight, outWidth, outputs] with outHeight = (height - 1) stride - 2 padding + dilation (kernelHeight - 1) + outputPadding + 1
 * @throws UamError `UAM_SHAPE` where the channels do not fit the weight or nothing would be left of the output, `UAM_DTYPE`,
 *   `UAM_ARGUMENT` for impossible or unknown options
 * @example
 * const x = Tensor.from([1, 2], [1, 1, 2, 1]);
 * const weight = Tensor.full([1, 2, 2, 1], 1);
 * convTranspose2d(x, weight, { stride: 2 });   // [1, 2, 4, 1]: 1, 1, 2, 2, 1, 1, 2, 2
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  requireOptions('convTranspose2d', options, ['bias', 'stride', 'padding', 'outputPadding', 'dilation', 'groups']);
  const { groups, channels: gridChannels } = requireConvTensors('convTranspose2d', x, weight, options);
  const { bias } = options;
  const [batch, gridHeight, gridWidth] = x.shape as [number, number, number, number];
  requireShape('convTranspose2d', 'weight', weight, [gridChannels * groups, 'kernelHeight', 'kernelWidth', 'outputs / groups']);
  const [, kernelHeight, kernelWidth, imageChannels] = weight.shape as [number, number, number, number];
  const outputs = imageChannels * groups;
  if (bias) requireShape('convTranspose2d', 'bias', bias, [outputs]);
  const dtype = requireSameDtype('convTranspose2d', x, weight, bias);
  const steps = stepsOf('convTranspose2d', options);
  const [extraY, extraX] = pairOf('convTranspose2d', 'outputPadding', options.outputPadding ?? 0, 0);
  const imageHeight = extent('height', gridHeight, kernelHeight, steps.strideY, steps.paddingY, steps.dilationY, extraY);
  const imageWidth = extent('width', gridWidth, kernelWidth, steps.strideX, steps.paddingX, steps.dilationX, extraX);
  const image = { imageHeight, imageWidth, imageChannels };
  const geometry: ConvGeometry = { batch, groups, ...image, gridHeight, gridWidth, gridChannels, kernelHeight, kernelWidth, ...steps };

  const y = Tensor.empty([batch, imageHeight, imageWidth, outputs], dtype, x.device);
  convTranspose2dFwd({ ...geometry, x: floats(x), weight: floats(weight), bias: optionalFloats(bias), y: floats(y) });
  return record('convTranspose2d', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const dx = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    if (dx) convTranspose2dBwdInput({ ...geometry, dy: floats(dy), weight: floats(weight), dx: floats(dx) });
    if (dWeight || dBias) {
      convTranspose2dBwdWeight({
        ...geometry,
        x: floats(x),
        dy: floats(dy),
        dWeight: optionalFloats(dWeight),
        dBias: optionalFloats(dBias),
      });
    }
    return [dx, dWeight, dBias];
  });
}

/** Length of one axis of the output. */
function extent(
  axis: string,
  grid: number,
  kernelLength: number,
  stride: number,
  padding: number,
  dilation: number,
  extra: number,
): number {
  if (extra >= Math.max(stride, dilation)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `convTranspose2d: outputPadding ${extra} must be less than the stride ${stride} or the dilation ${dilation}`,
    );
  }
  const length = (grid - 1) * stride - 2 * padding + dilation * (kernelLength - 1) + extra + 1;
  if (grid < 1 || kernelLength < 1 || length < 1) {
    throw new UamError(
      'UAM_SHAPE',
      `convTranspose2d: nothing is left of the output: input ${axis} ${grid}, kernel ${kernelLength}, stride ${stride}, padding ${padding}; use less padding`,
    );
  }
  return length;
}
