import { moeRoute } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 65536;
const experts = 8;
const options = { k: 2, renormalize: true, capacity: 20000 };

const cases: TimedCase[] = [
  {
    name: `forward ${tokens} tokens, 2 of ${experts}`,
    setup: () => {
      const logits = random([tokens, experts], 4);
      return forwardPass(() => moeRoute(logits, options));
    },
    work: { exps: tokens * experts, bytes: 4 * tokens * experts + 18 * tokens },
  },
  {
    name: `backward ${tokens} tokens, 2 of ${experts}`,
    setup: () => {
      const logits = random([tokens, experts], 4);
      return backwardPass([logits], () => moeRoute(logits, options).weights);
    },
    work: { exps: tokens * experts, bytes: 8 * tokens * experts + 18 * tokens },
  },
];

export default cases;
