import { bceWithLogits, type Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const n = 1 << 22;
const make = (): [Tensor, Tensor] => [random([n], 4), random([n], 1, 3)];

const cases: TimedCase[] = [
  {
    name: `forward ${n}`,
    setup: () => {
      const [x, target] = make();
      return forwardPass(() => bceWithLogits(x, target));
    },
    work: { exps: n, bytes: 8 * n },
  },
  {
    name: `backward ${n}`,
    setup: () => {
      const [x, target] = make();
      return backwardPass([x], () => bceWithLogits(x, target));
    },
    work: { exps: n, bytes: 12 * n },
  },
];

export default cases;
