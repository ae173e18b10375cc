import t from 'tap';
import { attention, type NeighborAttentionOptions, neighborAttention, Tensor } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { bring } from '../../src/tensor/bring.js';
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

/** Points on a line, those of a tile seeing the others within `reach`: runs of queries share most of their keys. */
function lineGraph(tiles: readonly number[], reach: number): Graph {
  const lists = tiles.flatMap((size, tile) => {
    const first = tiles.slice(0, tile).reduce((a, b) => a + b, 0);
    return Array.from({ length: size }, (_, i) => {
      const [from, to] = [Math.max(0, i - reach), Math.min(size, i + reach + 1)];
      const list = Array.from({ length: to - from }, (_, j) => first + from + j);
      return [...list.slice(i % 3), ...list.slice(0, i % 3)]; // in an order of its own
    });
  });
  return graphOf(lists);
}

const run = ({ q, k, v, bias, distances, slopes }: Tensors, { offsets, indices }: Graph): Tensors => ({
  ...neighborAttention(q as Tensor, k as Tensor, v as Tensor, offsets, bring(indices, (q as Tensor).device), {
    ...(bias && { bias }),
    ...(distances && slopes && { distances, slopes }),
  }),
});

interface Sizes {
  keys?: number;
  heads?: number;
  headsKv?: number;
  dim?: number;
  dimV?: number;
  biased?: boolean;
  fading?: boolean;
}

function opCase(name: string, graph: Graph, sizes: Sizes = {}): OpCase {
  const { keys, heads = 2, headsKv = heads, dim = 8, dimV = dim, biased = false, fading = false } = sizes;
  const queries = graph.offsets.length - 1;
  const tokens = keys ?? queries;
  return {
    name: `${name}: ${graph.indices.size} edges, heads ${heads}/${headsKv}, dim ${dim}/${dimV}`,
    inputs: {
      q: randomTensor([queries, heads, dim], 1, -2, 2),
      k: randomTensor([tokens, headsKv, dim], 2, -2, 2),
      v: randomTensor([tokens, headsKv, dimV], 3),
      ...(biased && { bias: randomTensor([graph.indices.size, heads], 4) }),
      ...(fading && { distances: randomTensor([graph.indices.size], 5, 0, 1), slopes: randomTensor([heads], 6, -2, 0) }),
    },
    ...(fading && { wrt: ['q', 'k', 'v', ...(biased ? ['bias'] : []), 'slopes'] }),
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

t.test('scores that fade with distance', async (t) => {
  testOp(t, [
    opCase('lists', randomGraph(20, 20, 9), { fading: true }),
    opCase('lists, biased too', randomGraph(20, 20, 9), { fading: true, biased: true, heads: 3 }),
    opCase('runs', lineGraph([40], 6), { fading: true }),
    opCase('runs, biased too', lineGraph([40], 6), { fading: true, biased: true, heads: 3 }),
  ]);
});

t.test('runs of queries that share keys', async (t) => {
  testOp(t, [
    ...[1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33].map((size) => opCase(`one tile of ${size}`, lineGraph([size], 5))),
    opCase('tiles of any size', lineGraph([1, 5, 16, 2, 40, 3, 17, 1, 1, 8, 9, 30, 4, 6, 7, 12, 20, 2], 4), { fading: true }),
    ...[1, 7, 16, 17, 20, 33].map((dim) => opCase('dim', lineGraph([21, 13], 7), { dim, dimV: dim + 3, heads: 1 })),
    opCase('grouped', lineGraph([50, 20], 9), { heads: 6, headsKv: 2, biased: true }),
    opCase('multi-query', lineGraph([50], 9), { heads: 4, headsKv: 1 }),
    opCase('many tokens', lineGraph([300, 200, 100], 12), { heads: 4, dim: 16, fading: true }),
    opCase('a few far keys', graphOf(Array.from({ length: 40 }, (_, i) => [i, (i + 1) % 40, 39])), { dim: 16 }),
  ]);
});

t.test('a query has the same bits whoever stands before it', async (t) => {
  const [alone, packed] = [lineGraph([70], 8), lineGraph([5, 70], 8)];
  const whole = ['q', 'k', 'v'].map((_, i) => randomTensor([75, 2, 16], i + 1)) as [Tensor, Tensor, Tensor];
  const part = whole.map((tensor) => Tensor.from(tensor.data.slice(5 * 32) as Float32Array, [70, 2, 16])) as [Tensor, Tensor, Tensor];
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const together = neighborAttention(...whole, packed.offsets, packed.indices).out;
      t.same([...together.data.slice(5 * 32)], [...neighborAttention(...part, alone.offsets, alone.indices).out.data], backend.name);
    });
  }
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
  const graph = graphOf([[0, 1, 2], [2, 1], [0], [1, 3]]); // without repeated keys, and dense enough for runs
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

t.test('indices on a card are looked at there, and told of when somebody waits', { skip: !hasCuda() }, async (t) => {
  onBackend({ name: 'cuda', backend: 'cuda' }, 1, () => {
    const [q, k] = [randomTensor([2, 4, 8], 1).to('cuda'), randomTensor([3, 2, 8], 2).to('cuda')];
    for (const bad of [-1, 3, 2147483647]) {
      const { out } = neighborAttention(q, k, k, Int32Array.of(0, 1, 3), Tensor.from(Int32Array.of(0, bad, 1)).to('cuda'));
      t.throws(() => out.to('cpu'), { code: 'UAM_ARGUMENT', message: /indices\[1\] must be from 0 to 2/ });
    }
  });
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
  const lengths = Tensor.from([0, 1, 2]);
  const slopes = randomTensor([4], 1);
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { slopes }), { code: 'UAM_ARGUMENT', message: /go together/ });
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { slopes: randomTensor([2], 1), distances: lengths }), {
    code: 'UAM_SHAPE',
    message: /slopes must be \[4\]/,
  });
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { slopes, distances: randomTensor([2], 1) }), {
    code: 'UAM_SHAPE',
    message: /distances must be \[3\]/,
  });
  t.throws(() => neighborAttention(q, k, v, offsets, indices, { slopes, distances: randomTensor([3], 1).requireGrad() }), {
    code: 'UAM_ARGUMENT',
    message: /distances get no gradient/,
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
