import { add, mul, type Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const pair = (a: readonly number[], b: readonly number[]): [Tensor, Tensor] => [random(a), random(b, 1, 2)];

const cases: TimedCase[] = [
  {
    name: 'forward add 8388608',
    setup: () => {
      const [a, b] = pair([1 << 23], [1 << 23]);
      return forwardPass(() => add(a, b));
    },
    work: { bytes: 12 << 23 },
    goal: 0.7,
  },
  {
    name: 'forward mul 65536x128 by 128',
    setup: () => {
      const [a, b] = pair([65536, 128], [128]);
      return forwardPass(() => mul(a, b));
    },
    work: { bytes: 8 * 65536 * 128 },
    goal: 0.7,
  },
  {
    name: 'forward mul 65536x128 by 65536x1',
    setup: () => {
      const [a, b] = pair([65536, 128], [65536, 1]);
      return forwardPass(() => mul(a, b));
    },
    work: { bytes: 8 * 65536 * 128 },
    goal: 0.7,
  },
  {
    name: 'backward mul 8388608',
    setup: () => {
      const [a, b] = pair([1 << 23], [1 << 23]);
      return backwardPass([a, b], () => mul(a, b));
    },
    work: { bytes: 24 << 23 },
    goal: 0.7,
  },
];

export default cases;
