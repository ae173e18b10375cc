import { conv2d } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

// [pixels a side, channels, kernel] of the image encoder's ConvNeXt-like blocks
const shapes = [
  [128, 32, 7],
  [64, 64, 7],
  [128, 32, 3],
  [32, 128, 7],
  [16, 256, 7],
  [32, 256, 7],
] as const;

const cases = shapes.flatMap(([side, channels, kernel]): TimedCase[] => {
  const options = { padding: kernel >> 1, groups: channels };
  const elements = side * side * channels;
  const tensors = () => [random([1, side, side, channels]), random([channels, kernel, kernel, 1]), random([channels])] as const;
  const peers = { op: 'conv2d', batch: 1, height: side, width: side, inputs: channels, outputs: channels, kernel, ...options } as const;
  const flops = 2 * elements * kernel * kernel;
  return [
    {
      name: `forward ${side}x${side}x${channels}, kernel ${kernel}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return forwardPass(() => conv2d(x, weight, { bias, ...options }));
      },
      work: { flops, bytes: 8 * elements },
      peers,
    },
    {
      name: `backward ${side}x${side}x${channels}, kernel ${kernel}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return backwardPass([x, weight, bias], () => conv2d(x, weight, { bias, ...options }));
      },
      work: { flops: 2 * flops, bytes: 20 * elements },
      peers: { ...peers, direction: 'backward' },
    },
  ];
});

export default cases;
