import { concat, permute } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { forwardPass, random } from './passes.js';

const cases: TimedCase[] = [
  {
    name: 'permute 64x1024x8x16 to heads first',
    setup: () => {
      const x = random([64, 1024, 8, 16]);
      return forwardPass(() => permute(x, [0, 2, 1, 3]));
    },
    work: { bytes: 8 << 23 },
    goal: 0.7,
  },
  {
    name: 'transpose 4096x2048',
    setup: () => {
      const x = random([4096, 2048]);
      return forwardPass(() => permute(x, [1, 0]));
    },
    work: { bytes: 8 << 23 },
  },
  {
    name: 'transpose 1024x256', // a weight
    setup: () => {
      const x = random([1024, 256]);
      return forwardPass(() => permute(x, [1, 0]));
    },
    work: { bytes: 8 << 18 },
  },
  {
    name: 'concat 3 x 32768x128 along columns',
    setup: () => {
      const parts = [1, 2, 3].map((seed) => random([32768, 128], 1, seed));
      return forwardPass(() => concat(parts, 1));
    },
    work: { bytes: 3 * 8 * 32768 * 128 },
    goal: 0.7,
  },
];

export default cases;
