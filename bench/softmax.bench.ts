import { logSoftmax, softmax } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const rows = 32768;
const features = 256;
const size = rows * features;

const cases = (
  [
    ['softmax', softmax],
    ['log_softmax', logSoftmax],
  ] as const
).flatMap(([op, along]): TimedCase[] => [
  {
    name: `${op} forward ${rows} x ${features}`,
    setup: () => {
      const x = random([rows, features], 4);
      return forwardPass(() => along(x));
    },
    work: { flops: 4 * size, exps: size, bytes: 8 * size },
    peers: { op, rows, features },
    goal: 0.7,
  },
  {
    name: `${op} backward ${rows} x ${features}`,
    setup: () => {
      const x = random([rows, features], 4);
      return backwardPass([x], () => along(x));
    },
    work: { flops: 4 * size, exps: op === 'softmax' ? 0 : size, bytes: 12 * size },
    peers: { op, rows, features, direction: 'backward' },
    goal: 0.7,
  },
  {
    name: `${op} forward along the middle axis 128 x 256 x 256`,
    setup: () => {
      const x = random([128, 256, 256], 4);
      return forwardPass(() => along(x, 1));
    },
    work: { flops: 4 * size, exps: size, bytes: 8 * size },
    goal: 0.7,
  },
]);

export default cases;
