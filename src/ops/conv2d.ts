import { mismatch, UamError } from '../errors.js';
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
  requireConvTensors,
  stepsOf,
  weightGradient,
} from './conv_geometry.js';
import { depthwiseConv2d } from './depthwise_conv2d.js';

type Conv2dFwdParams = ConvGeometry & { x: FloatArray; weight: FloatArray; bias: FloatArray | undefined; y: FloatArray };
type Conv2dBwdInputParams = ConvGeometry & { dy: FloatArray; weight: FloatArray; dx: FloatArray };
type Conv2dBwdWeightParams = ConvGeometry & {
  x: FloatArray;
  dy: FloatArray;
  dWeight: FloatArray | undefined;
  dBias: FloatArray | undefined;
};

const conv2dFwd = kernel<Conv2dFwdParams>('conv2d_fwd', (p) => imageToGrid(p, p.x, p.weight, p.bias, p.y));

const conv2dBwdInput = kernel<Conv2dBwdInputParams>('conv2d_bwd_input', (p) => gridToImage(p, p.dy, p.weight, undefined, p.dx));

const conv2dBwdWeight = kernel<Conv2dBwdWeightParams>('conv2d_bwd_weight', (p) => {
  if (p.dWeight) weightGradient(p, p.x, p.dy, p.dWeight);
  if (p.dBias) channelSums(p.dy, p.dBias);
});

/**
 * 2-D convolution (cross-correlation), channels last:
 * y[n, oy, ox, o] = bias[o] + sum over ky, kx, i of weight[o, ky, kx, i] x[n, oy stride + ky dilation - padding, ox ..., i], where x
 * is zero outside and, with groups, output o meets only the inputs i of its own group.
 *
 * @param x [batch, height, width, inputs]
 * @param weight [outputs, kernelHeight, kernelWidth, inputs / groups]: PyTorch's weight with its axes permuted by (0, 2, 3, 1).
 *   groups = inputs = outputs is a depthwise convolution.
 * @returns [batch, outHeight, outWidth, outputs] with outHeight = floor((height + 2 padding - dilation (kernelHeight - 1) - 1) / stride) + 1
 * @throws UamError `UAM_SHAPE` where the channels do not fit the weight or the kernel does not fit the padded image, `UAM_DTYPE`,
 *   `UAM_ARGUMENT` for impossible or unknown options
 * @example
 * const x = Tensor.from([1, 2, 3, 4], [1, 2, 2, 1]);
 * const weight = Tensor.full([1, 3, 3, 1], 1);
 * conv2d(x, weight, { padding: 1 });   // 10, 10, 10, 10
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  requireOptions('conv2d', options, ['bias', 'stride', 'padding', 'dilation', 'groups']);
  const { groups, channels: imageChannels } = requireConvTensors('conv2d', x, weight, options);
  const { bias } = options;
  requireShape('conv2d', 'weight', weight, ['outputs', 'kernelHeight', 'kernelWidth', imageChannels]);
  const [batch, imageHeight, imageWidth] = x.shape as [number, number, number, number];
  const [outputs, kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
  if (outputs % groups !== 0) throw mismatch('UAM_SHAPE', 'conv2d: outputs', `divisible by the ${groups} groups`, String(outputs));
  if (bias) requireShape('conv2d', 'bias', bias, [outputs]);
  const dtype = requireSameDtype('conv2d', x, weight, bias);
  const steps = stepsOf('conv2d', options);
  const gridHeight = positions('height', imageHeight, kernelHeight, steps.strideY, steps.paddingY, steps.dilationY);
  const gridWidth = positions('width', imageWidth, kernelWidth, steps.strideX, steps.paddingX, steps.dilationX);
  const image = { imageHeight, imageWidth, imageChannels };
  const geometry: ConvGeometry = {
    batch,
    groups,
    ...image,
    gridHeight,
    gridWidth,
    gridChannels: outputs / groups,
    kernelHeight,
    kernelWidth,
    ...steps,
  };
  const y = Tensor.empty([batch, gridHeight, gridWidth, outputs], dtype, x.device);
  if (imageChannels === 1 && outputs === groups) return depthwiseConv2d(geometry, x, weight, bias, y);

  conv2dFwd({ ...geometry, x: floats(x), weight: floats(weight), bias: optionalFloats(bias), y: floats(y) });
  return record('conv2d', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const dx = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    if (dx) conv2dBwdInput({ ...geometry, dy: floats(dy), weight: floats(weight), dx: floats(dx) });
    if (dWeight || dBias)
      conv2dBwdWeight({ ...geometry, x: floats(x), dy: floats(dy), dWeight: optionalFloats(dWeight), dBias: optionalFloats(dBias) });
    return [dx, dWeight, dBias];
  });
}

/** How many places a kernel finds along one axis of the padded image. */
function positions(axis: string, image: number, kernelLength: number, stride: number, padding: number, dilation: number): number {
  const reach = dilation * (kernelLength - 1) + 1;
  if (kernelLength < 1 || reach > image + 2 * padding) {
    throw new UamError(
      'UAM_SHAPE',
      `conv2d: a kernel of ${axis} ${kernelLength} (it reaches over ${reach} with dilation ${dilation}) does not fit an image of ${axis} ${image} ` +
        `with padding ${padding}; use a smaller kernel or more padding`,
    );
  }
  return Math.floor((image + 2 * padding - reach) / stride) + 1;
}
