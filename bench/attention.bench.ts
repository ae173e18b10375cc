import { attention, type Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

interface Shape {
  batch: number;
  length: number;
  heads: number;
  dim: number;
  causal?: boolean;
  goals?: readonly [forward: number, backward: number];
}

const shapes: readonly Shape[] = [
  { batch: 8, length: 512, heads: 8, dim: 64, goals: [0.8, 0.65] },
  { batch: 8, length: 2048, heads: 8, dim: 64, goals: [0.8, 0.65] },
  { batch: 8, length: 512, heads: 8, dim: 64, causal: true },
  { batch: 1024, length: 103, heads: 8, dim: 16, goals: [0.6, 0.6] },
  { batch: 256, length: 128, heads: 8, dim: 64, goals: [0.6, 0.6] },
  { batch: 2048, length: 16, heads: 8, dim: 16 },
];

/** Forward: two products of Lq x Lk x dim; backward: those of the scores again, dP, dQ, dK and dV. A causal mask halves both. */
function casesOf({ batch, length, heads, dim, causal = false, goals }: Shape): TimedCase[] {
  const pairs = batch * heads * length * (causal ? (length + 1) / 2 : length);
  const tensorBytes = 4 * batch * length * heads * dim;
  const inputs = () => [1, 2, 3].map((seed) => random([batch, length, heads, dim], 1, seed)) as [Tensor, Tensor, Tensor];
  const name = `B${batch} L${length} H${heads} d${dim}${causal ? ' causal' : ''}`;
  const peers = { op: 'attention', batch, heads, queries: length, keys: length, headDim: dim, causal } as const;
  return [
    {
      name: `forward ${name}`,
      setup: () => {
        const [q, k, v] = inputs();
        return forwardPass(() => attention(q, k, v, { causal }));
      },
      work: { flops: 4 * pairs * dim, exps: pairs, bytes: 4 * tensorBytes },
      peers,
      ...(goals && { goal: goals[0] }),
    },
    {
      name: `backward ${name}`,
      setup: () => {
        const [q, k, v] = inputs();
        return backwardPass([q, k, v], () => attention(q, k, v, { causal }).out);
      },
      work: { flops: 10 * pairs * dim, exps: pairs, bytes: 8 * tensorBytes },
      peers: { ...peers, direction: 'backward' },
      ...(goals && { goal: goals[1] }),
    },
  ];
}

export default shapes.flatMap(casesOf);
