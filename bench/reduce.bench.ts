import { max, sum } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { forwardPass, random } from './passes.js';

const shape = [65536, 128];
const bytes = 4 * 65536 * 128;

const cases: TimedCase[] = [
  {
    name: 'forward sum of all 8388608',
    setup: () => {
      const x = random(shape);
      return forwardPass(() => sum(x));
    },
    work: { bytes },
    goal: 0.7,
  },
  {
    name: 'forward sum of rows 65536x128',
    setup: () => {
      const x = random(shape);
      return forwardPass(() => sum(x, { axis: 1 }));
    },
    work: { bytes },
    goal: 0.7,
  },
  {
    name: 'forward sum of columns 65536x128',
    setup: () => {
      const x = random(shape);
      return forwardPass(() => sum(x, { axis: 0 }));
    },
    work: { bytes },
    goal: 0.7,
  },
  {
    name: 'forward max of rows 65536x128',
    setup: () => {
      const x = random(shape);
      return forwardPass(() => max(x, { axis: 1 }));
    },
    work: { bytes },
  },
];

export default cases;
