import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import type { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats } from './check.js';
import { type ConvGeometry, channelSums, gridToImage, imageToGrid, weightGradient } from './conv_geometry.js';

type DepthwiseFwdParams = ConvGeometry & { x: FloatArray; weight: FloatArray; bias: FloatArray | undefined; y: FloatArray };
type DepthwiseBwdInputParams = ConvGeometry & { dy: FloatArray; weight: FloatArray; dx: FloatArray };
type DepthwiseBwdWeightParams = ConvGeometry & {
  x: FloatArray;
  dy: FloatArray;
  dWeight: FloatArray | undefined;
  dBias: FloatArray | undefined;
};

const depthwiseFwd = kernel<DepthwiseFwdParams>('depthwise_conv2d_fwd', (p) => imageToGrid(p, p.x, p.weight, p.bias, p.y));

const depthwiseBwdInput = kernel<DepthwiseBwdInputParams>('depthwise_conv2d_bwd_input', (p) =>
  gridToImage(p, p.dy, p.weight, undefined, p.dx),
);

const depthwiseBwdWeight = kernel<DepthwiseBwdWeightParams>('depthwise_conv2d_bwd_weight', (p) => {
  if (p.dWeight) weightGradient(p, p.x, p.dy, p.dWeight);
  if (p.dBias) channelSums(p.dy, p.dBias);
});

/** The convolution of conv2d where every channel is a group of its own: its kernels run over channels. Fills `y` and records it. */
export function depthwiseConv2d(geometry: ConvGeometry, x: Tensor, weight: Tensor, bias: Tensor | undefined, y: Tensor): Tensor {
  depthwiseFwd({ ...geometry, x: floats(x), weight: floats(weight), bias: optionalFloats(bias), y: floats(y) });
  return record('conv2d', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const dx = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    if (dx) depthwiseBwdInput({ ...geometry, dy: floats(dy), weight: floats(weight), dx: floats(dx) });
    if (dWeight || dBias)
      depthwiseBwdWeight({ ...geometry, x: floats(x), dy: floats(dy), dWeight: optionalFloats(dWeight), dBias: optionalFloats(dBias) });
    return [dx, dWeight, dBias];
  });
}
