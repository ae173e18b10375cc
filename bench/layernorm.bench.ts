import { layerNorm } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const cases = [
  [512, 256], // lives in the second-level cache
  [32768, 256], // no cache holds it
  [16384, 32], // pixels of the image encoder
].flatMap(([rows = 0, features = 0]): TimedCase[] => {
  const inputs = () => ({ x: random([rows, features], 2), weight: random([features], 1, 2), bias: random([features], 1, 3) });
  const size = rows * features;
  const goal = size > 1e6 ? { goal: 0.7 } : {};
  return [
    {
      name: `forward ${rows} x ${features}`,
      setup: () => {
        const { x, ...affine } = inputs();
        return forwardPass(() => layerNorm(x, affine));
      },
      work: { flops: 8 * size, bytes: 8 * size },
      peers: { op: 'layernorm', rows, features },
      ...goal,
    },
    {
      name: `backward ${rows} x ${features}`,
      setup: () => {
        const { x, ...affine } = inputs();
        return backwardPass([x, affine.weight, affine.bias], () => layerNorm(x, affine));
      },
      work: { flops: 18 * size, bytes: 12 * size },
      peers: { op: 'layernorm', rows, features, direction: 'backward' },
      ...goal,
    },
  ];
});

export default cases;
