import { moeFfn } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 4096;
const width = 256;
const hidden = 512;
const experts = 8;
const k = 2;
const products = 2 * tokens * k * width * hidden; // flops of one of the two products, forward

function make() {
  const x = random([tokens, width]);
  const gate = random([experts, width]);
  const w1 = random([experts, hidden, width], 0.1, 2);
  const w2 = random([experts, width, hidden], 0.1, 3);
  const b1 = random([experts, hidden]);
  const b2 = random([experts, width]);
  const run = () => moeFfn(x, gate, w1, b1, w2, b2, { k, renormalize: true }).out;
  return { inputs: [x, gate, w1, b1, w2, b2], run };
}

const cases: TimedCase[] = [
  {
    name: `forward ${tokens} tokens of ${width}, hidden ${hidden}, ${k} of ${experts}`,
    setup: () => forwardPass(make().run),
    work: { flops: 2 * products, exps: tokens * k * hidden },
  },
  {
    name: `backward ${tokens} tokens of ${width}, hidden ${hidden}, ${k} of ${experts}`,
    setup: () => {
      const { inputs, run } = make();
      return backwardPass(inputs, run);
    },
    work: { flops: 4 * products, exps: tokens * k * hidden },
  },
];

export default cases;
