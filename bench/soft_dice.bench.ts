import { softDice, type Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const shape = [8, 256, 256, 5];
const n = shape.reduce((a, b) => a * b, 1);
const make = (): [Tensor, Tensor] => [random(shape, 4), random(shape, 1, 3)];

const cases: TimedCase[] = [
  {
    name: `forward softmax ${shape.join('x')}`,
    setup: () => {
      const [x, target] = make();
      return forwardPass(() => softDice(x, target, { activation: 'softmax' }));
    },
    work: { exps: n, bytes: 8 * n },
  },
  {
    name: `backward softmax ${shape.join('x')}`,
    setup: () => {
      const [x, target] = make();
      return backwardPass([x], () => softDice(x, target, { activation: 'softmax' }));
    },
    work: { exps: n, bytes: 12 * n },
  },
];

export default cases;
