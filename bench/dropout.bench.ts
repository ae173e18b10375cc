import { dropout } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const count = 1 << 22;
const key = { seed: 1, step: 1 };

const cases: TimedCase[] = [
  {
    name: `forward ${count}`,
    setup: () => {
      const x = random([count]);
      return forwardPass(() => dropout(x, 0.1, key));
    },
    work: { bytes: 8 * count },
  },
  {
    name: `backward ${count}`,
    setup: () => {
      const x = random([count]);
      return backwardPass([x], () => dropout(x, 0.1, key));
    },
    work: { bytes: 8 * count },
  },
];

export default cases;
