import { conv2d } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';
import type { Conv2dShape } from './peer_shapes.js';

type Case = Omit<Conv2dShape, 'op' | 'direction'> & { stride: number; padding: number };

// The shapes of the joint model on a tile of 512 pixels: what smooths the decoder at strides 4, 8, 16 and 32, pointwise layers, stem and
// reductions of the encoder, and a grouped one. The floor counts the sums as they are written; kernels of 3 x 3 on tiles take 16 products
// where those have 36, so they can go below it.
const shapes: Case[] = [
  ...[128, 64, 32, 16].map((side) => ({
    batch: 1,
    height: side,
    width: side,
    inputs: 128,
    outputs: 128,
    kernel: 3,
    stride: 1,
    padding: 1,
  })),
  { batch: 1, height: 128, width: 128, inputs: 32, outputs: 128, kernel: 1, stride: 1, padding: 0 },
  { batch: 1, height: 128, width: 128, inputs: 128, outputs: 32, kernel: 1, stride: 1, padding: 0 },
  { batch: 1, height: 512, width: 512, inputs: 3, outputs: 32, kernel: 4, stride: 4, padding: 0 },
  { batch: 1, height: 128, width: 128, inputs: 32, outputs: 64, kernel: 2, stride: 2, padding: 0 },
  { batch: 1, height: 32, width: 32, inputs: 128, outputs: 256, kernel: 2, stride: 2, padding: 0 },
  { batch: 4, height: 32, width: 32, inputs: 128, outputs: 128, kernel: 3, stride: 1, padding: 1, groups: 4 },
];

const cases = shapes.flatMap((shape): TimedCase[] => {
  const { batch, height, width, inputs, outputs, kernel, stride, padding, groups = 1 } = shape;
  const name = `${batch}x${height}x${width}x${inputs} to ${outputs}, kernel ${kernel}, stride ${stride}, groups ${groups}`;
  const outPixels = (batch * (height + 2 * padding - kernel + stride) * (width + 2 * padding - kernel + stride)) / stride ** 2;
  const flops = (2 * outPixels * outputs * kernel * kernel * inputs) / groups;
  const bytes = 4 * (batch * height * width * inputs + outPixels * outputs + (outputs * kernel * kernel * inputs) / groups);
  const tensors = () =>
    [random([batch, height, width, inputs]), random([outputs, kernel, kernel, inputs / groups]), random([outputs])] as const;
  return [
    {
      name: `forward ${name}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return forwardPass(() => conv2d(x, weight, { bias, stride, padding, groups }));
      },
      work: { flops, bytes },
      peers: { op: 'conv2d', ...shape },
      goal: 0.6,
    },
    {
      name: `backward ${name}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return backwardPass([x, weight, bias], () => conv2d(x, weight, { bias, stride, padding, groups }));
      },
      work: { flops: 2 * flops, bytes: 2 * bytes },
      peers: { op: 'conv2d', ...shape, direction: 'backward' },
      goal: 0.5,
    },
  ];
});

export default cases;
