import { ssd } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const batch = 2;
const tokens = 1024;
const heads = 8;
const headDim = 64;
const state = 64;
const length = batch * tokens;
const elements = length * heads * headDim * state;
const offsets = Int32Array.from({ length: batch + 1 }, (_, s) => s * tokens);
const named = `B${batch} L${tokens} H${heads} P${headDim} N${state}`;

function inputs() {
  const x = random([length, heads, headDim], 1, 1);
  const dt = random([length, heads], 1, 2);
  const A = random([heads], 1, 3);
  for (let h = 0; h < heads; h++) A.data[h] = -0.1 - Math.abs(A.data[h] as number);
  return [x, dt, A, random([length, 1, state], 1, 4), random([length, 1, state], 1, 5)] as const;
}

// Per element of the state: a product and two fused steps forward; twice the recurrence and five fused steps backward.
const cases: TimedCase[] = [
  {
    name: `forward ${named}`,
    setup: () => {
      const given = inputs();
      return forwardPass(() => ssd(...given, { dtSoftplus: true, offsets }));
    },
    work: { flops: 6 * elements },
  },
  {
    name: `backward ${named}`,
    setup: () => {
      const given = inputs();
      return backwardPass(given, () => ssd(...given, { dtSoftplus: true, offsets }).out);
    },
    work: { flops: 18 * elements },
  },
];

export default cases;
