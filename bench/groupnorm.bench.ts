import { groupNorm } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const cases = [
  [1, 128, 32, 8],
  [1, 128, 128, 8], // of the segmentation decoder
  [4, 64, 64, 8],
  [1, 256, 64, 64],
].flatMap(([batch = 0, side = 0, channels = 0, groups = 0]): TimedCase[] => {
  const elements = batch * side * side * channels;
  const tensors = () => [random([batch, side, side, channels]), random([channels]), random([channels])] as const;
  return [
    {
      name: `forward ${batch}x${side}x${side}x${channels}, ${groups} groups`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return forwardPass(() => groupNorm(x, groups, { weight, bias }));
      },
      work: { bytes: 8 * elements },
      goal: 0.7,
    },
    {
      name: `backward ${batch}x${side}x${side}x${channels}, ${groups} groups`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return backwardPass([x, weight, bias], () => groupNorm(x, groups, { weight, bias }));
      },
      work: { bytes: 12 * elements },
      goal: 0.7,
    },
  ];
});

export default cases;
