import t from 'tap';
import { attention, type NeighborAttentionOptions, neighborAttention, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError } from '../support/near.js';
import { randomTensor, uniform } from '../support/random.js';
import { type OpCase, type Tensors, testOp } from '../support/spec.js';

interface Graph {
  offsets: Int32Array;
  indices: Tensor;
}

const graphOf = (lists: readonly (readonly number[])[]): Graph => ({
  offsets: Int32Array.from([0, ...lists.map((_, i) => lists.slice(0, i + 1).reduce((n, list) => n + list.length, 0))]),
  indices: Tensor.from(Int32Array.from(lists.flat())),
});

/** Lists of random lengths up to `longest`, of keys in any order. */
function randomGraph(queries: number, keys: number, longest: number, seed = 1): Graph {
  const next = uniform(seed);
  return graphOf(
    Array.from({ length: queries }, () => Array.from({ length: Math.floor(next() * (longest + 1)) }, () => Math.floor(next() * keys))),
  );
}

const run = ({ q, k, v, bias }: Tensors, { offsets, indices }: Graph): Tensors => ({
  ...neighborAttention(q as Tensor, k as Tensor, v as Tensor, offsets, indices, bias && { bias }),
});

interface Sizes {
  keys?: number;
  heads?: number;
  headsKv?: number;
  dim?: number;
  dimV?: number;
  biased?: boolean;
}

function opCase(name: string, graph: Graph, { keys, heads = 2, headsKv = heads, dim = 8, dimV = dim, biased = false }: Sizes = {}): OpCase {
  const queries = graph.offsets.length - 1;
  const tokens = keys ?? queries;
  return {
    name: `${name}: ${graph.indices.size} edges, heads ${heads}/${headsKv}, dim ${dim}/${dimV}`,
    inputs: {
      q: randomTensor([queries, heads, dim], 1, -2, 2),
      k: randomTensor([tokens, headsKv, dim], 2, -2, 2),
      v: randomTensor([tokens, headsKv, dimV], 3),
      ...(biased && { bias: randomTensor([graph.indices.size, heads], 4) }),
    },
    run: (inputs) => run(inputs, graph),
    upstream: ['out'],
  };
}

t.test('lists of any length, empty ones and repeated keys among them', async (t) => {
  testOp(t, [
    opCase('by hand', graphOf([[1, 2], [], [0, 0, 0, 2], [3], [4, 3, 2, 1, 0]])),
    opCase('nothing at all', graphOf([])),
    opCase('only empty lists', graphOf([[], [], []])),
    opCase('no keys', graphOf([[], []]), { keys: 0 }),
    ...[1, 3, 4, 5, 8, 15, 16, 17, 33, 64, 70].map((longest) =>
      opCase(`up to ${longest}`, randomGraph(40, 30, longest), { keys: 30, biased: longest % 2 === 0 }),
    ),
  ]);
});

t.test('any size of a head, and heads that share keys', async (t) => {
  const graph = randomGraph(12, 12, 20);
  testOp(t, [
    ...[1, 8, 16, 17, 31, 32, 64, 80, 128].map((dim) => opCase('dim', graph, { dim, dimV: 12, heads: 1 })),
    ...[1, 15, 48, 64, 70, 130].map((dimV) => opCase('dimV', graph, { dim: 4, dimV, biased: true })),
    opCase('grouped', graph, { heads: 6, headsKv: 2, biased: true }),
    opCase('multi-query', graph, { heads: 4, headsKv: 1 }),
  ]);
});

t.test('work that is cut into parts', async (t) => {
  testOp(t, [opCase('many tokens', randomGraph(600, 600, 24), { heads: 4, dim: 16, biased: true })]);
});

t.test('a key on every list', async (t) => {
  testOp(t, [opCase('hub', graphOf(Array.from({ length: 300 }, (_, i) => [7, i])))]);
});

t.test('lists of all keys give attention', async (t) => {
  const length = 37;
  const all = graphOf(Array.from({ length }, () => Array.from({ length }, (_, j) => j)));
  const [q, k, v] = [randomTensor([length, 4, 16], 1), randomTensor([length, 2, 16], 2), randomTensor([length, 2, 24], 3)];
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const dense = attention(q, k, v, { offsetsQ: Int32Array.of(0, length) });
      const { out, lse } = neighborAttention(q, k, v, all.offsets, all.indices);
      t.ok(relativeError(out.data, dense.out.data) < 1e-6 && relativeError(lse.data, dense.lse.data) < 1e-6, backend.name);
    });
  }
});

t.test('a bias of -Infinity hides a key; NaN and infinities reach the rows that see them and no other', async (t) => {
  const graph = graphOf([[0, 1, 2], [2, 1], [0], [1, 3]]);
  const hiding = opCase('bias', graph, { heads: 1 });
  const bias = Tensor.from([0, Number.NEGATIVE_INFINITY, 1, 0, 0, Number.NEGATIVE_INFINITY, 0, 0], [8, 1]);
  testOp(t, [{ ...hiding, inputs: { ...hiding.inputs, bias }, wrt: ['q', 'k', 'v'] }]);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const name of ['q', 'k', 'v']) {
      const base = opCase(`${value} in ${name}`, graph, { heads: 1 });
      const spoilt = (base.inputs[name] as Tensor).clone();
      spoilt.data[2 * 8] = value;
      testOp(t, [
        {
          ...base,
          inputs: { ...base.inputs, [name]: spoilt },
          run: (inputs) => ({ out: run(inputs, graph).out as Tensor }),
          skipFiniteDifferences: true,
        },
      ]);
    }
  }
});

t.test('what does not fit is refused', async (t) => {
  const [q, k, v] = [randomTensor([2, 4, 8], 1), randomTensor([3, 2, 8], 2), randomTensor([3, 2, 5], 3)];
  const indices = Tensor.from(Int32Array.of(0, 2, 1));
  const offsets = Int32Array.of(0, 1, 3);
  t.throws(() => neighborAttention(q, k, v, Int32Array.of(0, 3), indices), { code: 'UAM_SHAPE', message: /one list per query \(2\)/ });
  t.throws(() => neighborAttention(q, k, v, Int32Array.of(0, 1, 2), indices), { code: 'UAM_ARGUMENT', message: /end at 3/ });
  t.throws(() => neighborAttention(q, k, v, offsets, Tensor.from([0, 2, 1])), { code: 'UAM_DTYPE', message: /indices must be int32/ });
  t.throws(() => neighborAttention(q, randomTensor([3, 3, 8], 1), randomTensor([3, 3, 5], 1), offsets, indices), {
    code: 'UAM_SHAPE',
    message: /multiple of the 3/,
  });
  t.throws(() => neighborAttention(q, k, randomTensor([2, 2, 5], 1), offsets, indices), { code: 'UAM_SHAPE', message: /v must be/ });
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { bias: randomTensor([3, 2], 1) }), {
    code: 'UAM_SHAPE',
    message: /bias must be \[3, 4\]/,
  });
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { window: 1 } as NeighborAttentionOptions), {
    code: 'UAM_ARGUMENT',
    message: /unknown option 'window'/,
  });
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      for (const bad of [-1, 3, 2147483647]) {
        const wrong = Tensor.from(Int32Array.of(0, bad, 1));
        t.throws(() => neighborAttention(q, k, v, offsets, wrong), { code: 'UAM_ARGUMENT', message: /indices\[1\] must be from 0 to 2/ });
      }
    });
  }
});
