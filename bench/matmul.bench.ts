import { matmul } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const [batch, m, k, n] = [256, 64, 64, 64];
const work = { flops: 2 * batch * m * n * k, bytes: 4 * batch * (m * k + k * n + m * n) };

const cases: TimedCase[] = [
  {
    name: `forward ${batch} times ${m}x${k} by ${k}x${n}`,
    setup: () => {
      const [a, b] = [random([batch, m, k]), random([batch, k, n], 1, 2)];
      return forwardPass(() => matmul(a, b));
    },
    work,
  },
  {
    name: `forward ${batch}x${m}x${k} by one ${k}x${n}`,
    setup: () => {
      const [a, b] = [random([batch, m, k]), random([k, n], 1, 2)];
      return forwardPass(() => matmul(a, b));
    },
    work,
    peers: { op: 'matmul', m: batch * m, k, n },
  },
  {
    name: `backward ${batch} times ${m}x${k} by ${k}x${n}`,
    setup: () => {
      const [a, b] = [random([batch, m, k]), random([batch, k, n], 1, 2)];
      return backwardPass([a, b], () => matmul(a, b));
    },
    work: { flops: 2 * work.flops, bytes: 2 * work.bytes },
  },
];

export default cases;
