import { randomNormal, randomUniform } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { forwardPass } from './passes.js';

const count = 1 << 22;

// Ten rounds of two 32 x 32-bit multiplications per four words: arithmetic binds, not memory; no floor is claimed for it.
const cases: TimedCase[] = [
  { name: `uniform ${count}`, setup: () => forwardPass(() => randomUniform([count], { seed: 1, step: 1 })), work: { bytes: 4 * count } },
  { name: `normal ${count}`, setup: () => forwardPass(() => randomNormal([count], { seed: 1, step: 1 })), work: { bytes: 4 * count } },
];

export default cases;
