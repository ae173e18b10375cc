import { moeDispatch, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 16384;
const width = 256;
const experts = 8;
const indices = Tensor.from(
  Int32Array.from({ length: tokens * 2 }, (_, i) => (((i >> 1) * 40503) % 7) + (i & 1)),
  [tokens, 2],
);

const cases: TimedCase[] = [
  {
    name: `forward ${tokens} tokens of ${width}, 2 of ${experts}`,
    setup: () => {
      const x = random([tokens, width]);
      return forwardPass(() => moeDispatch(x, indices, { experts }));
    },
    work: { bytes: 12 * tokens * width },
  },
  {
    name: `backward ${tokens} tokens of ${width}, 2 of ${experts}`,
    setup: () => {
      const x = random([tokens, width]);
      return backwardPass([x], () => moeDispatch(x, indices, { experts }).rows);
    },
    work: { bytes: 12 * tokens * width },
  },
];

export default cases;
