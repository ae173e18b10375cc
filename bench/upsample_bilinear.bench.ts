import { upsampleBilinear } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const cases = [
  [64, 128, 64],
  [128, 512, 16],
  [128, 512, 1], // logits to pixels
].flatMap(([side = 0, outSide = 0, channels = 0]): TimedCase[] => {
  const bytes = 4 * channels * (side * side + outSide * outSide);
  return [
    {
      name: `forward ${side}x${side}x${channels} to ${outSide}x${outSide}`,
      setup: () => {
        const x = random([1, side, side, channels]);
        return forwardPass(() => upsampleBilinear(x, [outSide, outSide]));
      },
      work: { bytes },
      goal: 0.7,
    },
    {
      name: `backward ${side}x${side}x${channels} to ${outSide}x${outSide}`,
      setup: () => {
        const x = random([1, side, side, channels]);
        return backwardPass([x], () => upsampleBilinear(x, [outSide, outSide]));
      },
      work: { bytes },
    },
  ];
});

export default cases;
