import { neighborAttention, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 16384;
const neighbors = 64;
const heads = 8;
const edges = tokens * neighbors;
const offsets = Int32Array.from({ length: tokens + 1 }, (_, i) => i * neighbors);

const lists: Record<string, (query: number, n: number) => number> = {
  window: (query, n) => Math.min(tokens - 1, Math.max(0, query + n - neighbors / 2)),
  scattered: (query, n) => (query * 40503 + n * 7919) % tokens,
};

const cases = [16, 64].flatMap((dim) =>
  Object.entries(lists).flatMap(([name, key]): TimedCase[] => {
    const indices = Tensor.from(Int32Array.from({ length: edges }, (_, e) => key(Math.floor(e / neighbors), e % neighbors)));
    const inputs = () => [1, 2, 3].map((seed) => random([tokens, heads, dim], 1, seed)) as [Tensor, Tensor, Tensor];
    const tensorBytes = 4 * tokens * heads * dim;
    return [
      {
        name: `forward ${name} ${tokens} x ${neighbors} H${heads} d${dim}`,
        setup: () => {
          const [q, k, v] = inputs();
          return forwardPass(() => neighborAttention(q, k, v, offsets, indices));
        },
        work: { flops: 4 * edges * heads * dim, exps: edges * heads, bytes: 4 * tensorBytes + 4 * edges },
      },
      {
        name: `backward ${name} ${tokens} x ${neighbors} H${heads} d${dim}`,
        setup: () => {
          const [q, k, v] = inputs();
          return backwardPass([q, k, v], () => neighborAttention(q, k, v, offsets, indices).out);
        },
        work: { flops: 10 * edges * heads * dim, exps: edges * heads, bytes: 8 * tensorBytes + 4 * edges },
      },
    ];
  }),
);

export default cases;
