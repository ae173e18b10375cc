import { convTranspose2d } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const [side, inputs, outputs, kernel, stride] = [64, 128, 64, 2, 2];
const flops = 2 * side * side * inputs * outputs * kernel * kernel;
const bytes = 4 * side * side * (inputs + outputs * stride * stride);
const tensors = () => [random([1, side, side, inputs]), random([inputs, kernel, kernel, outputs]), random([outputs])] as const;

const cases: TimedCase[] = [
  {
    name: `forward ${side}x${side}x${inputs} to ${outputs}, kernel ${kernel}, stride ${stride}`,
    setup: () => {
      const [x, weight, bias] = tensors();
      return forwardPass(() => convTranspose2d(x, weight, { bias, stride }));
    },
    work: { flops, bytes },
    goal: 0.6,
  },
  {
    name: `backward ${side}x${side}x${inputs} to ${outputs}, kernel ${kernel}, stride ${stride}`,
    setup: () => {
      const [x, weight, bias] = tensors();
      return backwardPass([x, weight, bias], () => convTranspose2d(x, weight, { bias, stride }));
    },
    work: { flops: 2 * flops, bytes: 2 * bytes },
    goal: 0.5,
  },
];

export default cases;
