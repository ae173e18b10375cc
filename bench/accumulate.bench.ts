import { accumulate } from '../src/tensor/accumulate.js';
import type { TimedCase } from './harness.js';
import { random } from './passes.js';

export default [1 << 16, 1 << 23].map(
  (count): TimedCase => ({
    name: `accumulate ${count}`,
    setup: () => {
      const target = random([count]);
      const addend = random([count], 1e-9, 2);
      return () => accumulate(target, addend);
    },
    work: { bytes: 12 * count },
    ...(count > 1 << 20 ? { goal: 0.7 } : {}),
  }),
);
