import { biasActivationGradients } from '../src/ops/bias_activation.js';
import type { TimedCase } from './harness.js';
import { forwardPass, random } from './passes.js';

const [rows, columns] = [16384, 384];
const elements = rows * columns;
const options = { columns, offsets: Int32Array.of(0, rows), needsBias: true };

const cases: TimedCase[] = [
  {
    name: `column sums ${rows}x${columns}`,
    setup: () => {
      const dy = random([rows, columns]);
      return forwardPass(() => biasActivationGradients(0, dy, undefined, options));
    },
    work: { bytes: 4 * elements },
    goal: 0.7,
  },
  {
    name: `relu and column sums ${rows}x${columns}`,
    setup: () => {
      const [dy, pre] = [random([rows, columns]), random([rows, columns], 1, 2)];
      return forwardPass(() => biasActivationGradients(1, dy, pre, options));
    },
    work: { bytes: 12 * elements },
    goal: 0.7,
  },
  {
    name: `silu and column sums ${rows}x${columns}`,
    setup: () => {
      const [dy, pre] = [random([rows, columns]), random([rows, columns], 1, 2)];
      return forwardPass(() => biasActivationGradients(4, dy, pre, options));
    },
    work: { bytes: 12 * elements, exps: 2 * elements },
    goal: 0.7,
  },
];

export default cases;
