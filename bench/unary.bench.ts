import { exp, relu, silu, softplus, type Tensor, tanh } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';
import type { UnaryShape } from './peer_shapes.js';

const functions: [UnaryShape['function'], (x: Tensor) => Tensor, exps: number][] = [
  ['relu', relu, 0],
  ['exp', exp, 1],
  ['silu', silu, 1],
  ['softplus', softplus, 1],
  ['tanh', tanh, 1],
];

const small = 1 << 16; // lives in the second-level cache
const large = 1 << 23; // no cache holds it

const cases = [small, large].flatMap((count) =>
  functions.flatMap(([name, op, exps]): TimedCase[] => [
    {
      name: `forward ${name} ${count}`,
      setup: () => {
        const x = random([count], 4);
        return forwardPass(() => op(x));
      },
      work: { exps: exps * count, bytes: 8 * count },
      peers: { op: 'unary', function: name, count },
      ...(count === large ? { goal: 0.7 } : {}),
    },
    {
      name: `backward ${name} ${count}`,
      setup: () => {
        const x = random([count], 4);
        return backwardPass([x], () => op(x));
      },
      work: { exps: exps * count, bytes: 12 * count },
      peers: { op: 'unary', function: name, count, direction: 'backward' },
      ...(count === large ? { goal: 0.7 } : {}),
    },
  ]),
);

export default cases;
