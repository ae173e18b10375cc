import { gather, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const rows = 65536;
const width = 128;
const index = Tensor.from(Int32Array.from({ length: rows }, (_, i) => (i * 40503) % rows));

const cases: TimedCase[] = [
  {
    name: `forward ${rows} rows of ${width}`,
    setup: () => {
      const x = random([rows, width]);
      return forwardPass(() => gather(x, index));
    },
    work: { bytes: 8 * rows * width },
    goal: 0.7,
  },
  {
    name: `backward ${rows} rows of ${width}`,
    setup: () => {
      const x = random([rows, width]);
      return backwardPass([x], () => gather(x, index));
    },
    work: { bytes: 8 * rows * width },
  },
];

export default cases;
