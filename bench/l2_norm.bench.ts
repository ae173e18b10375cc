import { l2Norm } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { random } from './passes.js';

const cases: TimedCase[] = [
  {
    name: 'forward 8388608',
    setup: () => {
      const x = random([1 << 23]);
      return () => void l2Norm(x);
    },
    work: { bytes: 4 << 23 },
    goal: 0.7,
  },
];

export default cases;
