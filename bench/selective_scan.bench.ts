import { selectiveScan, type Tensor } from '../src/index.js';
import type { TimedCase, Work } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';
import type { SelectiveScanShape } from './peer_shapes.js';

type Shape = Omit<SelectiveScanShape, 'op' | 'direction'>;

const shapes: [string, Shape][] = [
  ['B8 D256 L1024 N16', { batch: 8, dim: 256, tokens: 1024, state: 16 }],
  ['cells: 4096 sequences, D256 L103 N16', { batch: 4096, dim: 256, tokens: 103, state: 16 }],
];

function inputsOf({ batch, tokens, dim, state }: Shape) {
  const A = random([dim, state], 1, 3);
  for (let i = 0; i < A.size; i++) A.data[i] = -(1 + (i % state)); // as Mamba starts: -1, -2, ...
  return {
    ...{ u: random([batch, tokens, dim]), delta: random([batch, tokens, dim], 1, 2), A },
    ...{ B: random([batch, tokens, 1, state], 1, 4), C: random([batch, tokens, 1, state], 1, 5) },
    ...{ D: random([dim], 1, 6), z: random([batch, tokens, dim], 1, 7), deltaBias: random([dim], 1, 8) },
  };
}

/** A state at a token costs one exponential and, beside it, dt A, dt u B (a multiplication each), h and y (one fused each). */
function forwardWork({ batch, tokens, dim, state }: Shape): Work {
  const steps = batch * tokens * dim;
  return { exps: steps * (state + 2), flops: 8 * steps * state, bytes: 16 * steps };
}

/** The state again, and eight more multiply-adds: g, a g, w, dA, sum w A, sum g B, dB, dC. */
function backwardWork({ batch, tokens, dim, state }: Shape): Work {
  const steps = batch * tokens * dim;
  return { exps: steps * (state + 2), flops: 22 * steps * state, bytes: 28 * steps };
}

export default shapes.flatMap(([name, shape]): TimedCase[] => [
  {
    name: `forward ${name}`,
    setup: () => {
      const inputs = inputsOf(shape);
      return forwardPass(() => selectiveScan(inputs, { deltaSoftplus: true }));
    },
    work: forwardWork(shape),
    ...(shape.batch < 100 && { peers: { op: 'selective_scan', ...shape } }), // the peers would take minutes
    goal: 0.75,
  },
  {
    name: `backward ${name}`,
    setup: () => {
      const inputs = inputsOf(shape);
      return backwardPass(Object.values(inputs) as Tensor[], () => selectiveScan(inputs, { deltaSoftplus: true }).out);
    },
    work: backwardWork(shape),
    ...(shape.batch < 100 && { peers: { op: 'selective_scan', ...shape, direction: 'backward' } }),
  },
]);
