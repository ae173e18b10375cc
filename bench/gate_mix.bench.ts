import { gateMix, type Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const [rows, groups, columns] = [8192, 8, 128];
const inputs = () =>
  [random([rows, groups], 1, 1), random([rows, columns], 1, 2), random([rows, columns], 1, 3)] as [Tensor, Tensor, Tensor];
const bytes = 4 * rows * columns;

const cases: TimedCase[] = [
  {
    name: `forward ${rows} x ${columns}, ${groups} gates`,
    setup: () => {
      const [gate, a, b] = inputs();
      return forwardPass(() => gateMix(gate, a, b));
    },
    work: { bytes: 3 * bytes + 4 * rows * groups },
    goal: 0.7,
  },
  {
    name: `backward ${rows} x ${columns}, ${groups} gates`,
    setup: () => {
      const [gate, a, b] = inputs();
      return backwardPass([gate, a, b], () => gateMix(gate, a, b));
    },
    work: { bytes: 5 * bytes + 8 * rows * groups },
    goal: 0.7,
  },
];

export default cases;
