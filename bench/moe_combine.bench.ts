import { moeCombine, moeDispatch, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 16384;
const width = 256;
const experts = 8;

function make() {
  const indices = Tensor.from(
    Int32Array.from({ length: tokens * 2 }, (_, i) => (((i >> 1) * 40503) % 7) + (i & 1)),
    [tokens, 2],
  );
  const dispatch = moeDispatch(random([tokens, width]), indices, { experts });
  return { dispatch, rows: random([tokens * 2, width]), weights: random([tokens, 2]) };
}

const cases: TimedCase[] = [
  {
    name: `forward ${tokens} tokens of ${width}, 2 of ${experts}`,
    setup: () => {
      const { dispatch, rows, weights } = make();
      return forwardPass(() => moeCombine(rows, weights, dispatch));
    },
    work: { bytes: 12 * tokens * width },
  },
  {
    name: `backward ${tokens} tokens of ${width}, 2 of ${experts}`,
    setup: () => {
      const { dispatch, rows, weights } = make();
      return backwardPass([rows, weights], () => moeCombine(rows, weights, dispatch));
    },
    work: { bytes: 20 * tokens * width },
  },
];

export default cases;
