import { Tensor, where } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { forwardPass, random } from './passes.js';

const count = 1 << 22;

const cases: TimedCase[] = [
  {
    name: `forward ${count}`,
    setup: () => {
      const mask = Tensor.from(Uint8Array.from({ length: count }, (_, i) => (i >> 3) & 1));
      const a = random([count]);
      const b = random([count], 1, 2);
      return forwardPass(() => where(mask, a, b));
    },
    work: { bytes: 13 * count },
    goal: 0.7,
  },
];

export default cases;
