import { adamwState, adamwStep } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { random } from './passes.js';

/** A step with clipping: gradients are read twice, parameters and both moments read and written once. */
function step(name: string, sizes: readonly number[]): TimedCase {
  return {
    name,
    setup: () => {
      const parameters = sizes.map((n) => random([n]));
      const gradients = sizes.map((n) => random([n], 1, 2));
      const state = adamwState(parameters);
      return () => void adamwStep(parameters, gradients, state, { clipNorm: 1 });
    },
    work: { bytes: 32 * sizes.reduce((a, b) => a + b, 0) },
    goal: 0.7,
  };
}

export default [step('step 8388608', [1 << 23]), step('step 200 tensors of 16384', new Array<number>(200).fill(1 << 14))];
