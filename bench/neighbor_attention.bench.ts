import { neighborAttention, Tensor } from '../src/index.js';
import { arrange } from '../src/tokens/arrangement.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const tokens = 16384;
const neighbors = 64;
const heads = 8;
const edges = tokens * neighbors;
const offsets = Int32Array.from({ length: tokens + 1 }, (_, i) => i * neighbors);

/** Cells of a tile as they lie in tissue, in the order of the scan: whom each sees within 64 um. */
const tile = () => {
  const cells = 2048;
  const side = Math.sqrt(cells / 0.005);
  return arrange(Float64Array.from(random([2 * cells]).data, (value) => (side * (value + 1)) / 2)).near;
};

function tissueCases(): TimedCase[] {
  const { offsets, indices, distances } = tile();
  const [cells, edges, dim] = [offsets.length - 1, indices.length, 16];
  const inputs = () => [1, 2, 3].map((seed) => random([cells, heads, dim], 1, seed)) as [Tensor, Tensor, Tensor];
  const fading = () => ({ distances: Tensor.from(distances.map((far) => far / 64)), slopes: random([heads]) });
  const name = `tissue ${cells} x ${(edges / cells).toFixed(0)} H${heads} d${dim}`;
  const tensorBytes = 4 * cells * heads * dim;
  return [
    {
      name: `forward ${name}`,
      setup: () => {
        const [q, k, v] = inputs();
        const [list, options] = [Tensor.from(indices), fading()];
        return forwardPass(() => neighborAttention(q, k, v, offsets, list, options));
      },
      work: { flops: 4 * edges * heads * dim, exps: edges * heads, bytes: 4 * tensorBytes + 8 * edges },
    },
    {
      name: `backward ${name}`,
      setup: () => {
        const [q, k, v] = inputs();
        const [list, options] = [Tensor.from(indices), fading()];
        return backwardPass([q, k, v, options.slopes], () => neighborAttention(q, k, v, offsets, list, options).out);
      },
      work: { flops: 10 * edges * heads * dim, exps: edges * heads, bytes: 8 * tensorBytes + 8 * edges },
    },
  ];
}

const lists: Record<string, (query: number, n: number) => number> = {
  window: (query, n) => Math.min(tokens - 1, Math.max(0, query + n - neighbors / 2)),
  scattered: (query, n) => (query * 40503 + n * 7919) % tokens,
};

const cases = tissueCases().concat(
  [16, 64].flatMap((dim) =>
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
  ),
);

export default cases;
