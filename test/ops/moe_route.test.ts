import t from 'tap';
import { moeRoute, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomTensor, uniform } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function routeCase(logits: Tensor, k: number, renormalize: boolean, capacity = 0, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `[${logits.shape}] k ${k}${renormalize ? ', renormalised' : ''}, capacity ${capacity}`,
    inputs: { logits },
    run: (inputs) => ({ ...moeRoute(inputs.logits as Tensor, { k, renormalize, capacity }) }),
    upstream: ['weights', 'loadBalance', 'zLoss'],
    ...extra,
  };
}

/** Logits no two of which are closer than finite differences move them, so that the choice stays the same. */
function distinct(tokens: number, experts: number): Tensor {
  const next = uniform(tokens * 31 + experts);
  const values = Float32Array.from({ length: tokens * experts }, (_, i) => (((i % experts) * 7) % experts) + 0.5 * next());
  return Tensor.from(
    values.map((value) => value * (4 / experts)),
    [tokens, experts],
  );
}

t.test('every number of experts around the vector, every k', async (t) => {
  const cases: OpCase[] = [];
  for (let experts = 1; experts <= 18; experts++) {
    for (const k of new Set([1, Math.min(2, experts), experts])) cases.push(routeCase(distinct(9, experts), k, k === 2));
  }
  for (const experts of [33, 64, 65, 128, 129, 300]) cases.push(routeCase(distinct(7, experts), 3, experts % 2 === 0, 2));
  testOp(t, cases);
});

t.test('tokens around the vector and the block; capacity', async (t) => {
  const cases: OpCase[] = [];
  for (const tokens of [0, 1, 7, 8, 15, 16, 17, 33, 1023, 1024, 1025, 1041]) {
    cases.push(routeCase(distinct(tokens, 8), 2, true, Math.ceil(tokens / 5)), routeCase(distinct(tokens, 8), 3, false));
  }
  testOp(t, cases);
});

t.test('equal logits go to the lowest expert; 0 and -0 are equal; NaN counts as greatest; infinities have their place', async (t) => {
  const rows: [number[], number[]][] = [
    [
      [1, 1, 1, 1],
      [0, 1, 2, 3],
    ],
    [
      [0, -0, 0, -0],
      [0, 1, 2, 3],
    ],
    [
      [2, 3, 3, 2],
      [1, 2, 0, 3],
    ],
    [
      [-0, 0, 1, -1],
      [2, 0, 1, 3],
    ],
    [
      [1, Number.NaN, Infinity, Number.NaN],
      [1, 3, 2, 0],
    ],
    [
      [-Infinity, -Infinity, -Infinity, -Infinity],
      [0, 1, 2, 3],
    ],
    [
      [-Infinity, 5, Infinity, Infinity],
      [2, 3, 1, 0],
    ],
    [
      [1e-45, 0, -1e-45, 3e38],
      [3, 0, 1, 2],
    ],
  ];
  const logits = Tensor.from(
    rows.flatMap(([row]) => row),
    [rows.length, 4],
  );
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const { indices } = moeRoute(logits, { k: 4 });
      rows.forEach(([row, order], token) => {
        t.same([...indices.rows(token, token + 1).data], order, `${backend.name}: ${row}`);
      });
    });
  }
  testOp(t, [
    routeCase(
      Tensor.from(
        rows.slice(0, 4).flatMap(([row]) => row),
        [4, 4],
      ),
      2,
      true,
      3,
      { skipFiniteDifferences: true },
    ),
  ]);
});

t.test('places are given choice by choice, tokens in order', async (t) => {
  // Every token prefers expert 0, then 1; two places each.
  const logits = Tensor.from([3, 2, 1, 3, 2, 1, 3, 2, 1], [3, 3]);
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const { kept, weights } = moeRoute(logits, { k: 2, renormalize: true, capacity: 2 });
      t.same([...kept.data], [1, 1, 1, 1, 0, 0], backend.name);
      t.same([...weights.data.subarray(4)], [0, 0]);
      t.ok(Math.abs((weights.data[0] as number) + (weights.data[1] as number) - 1) < 1e-6);
    });
  }
});

t.test('places are given in order however many tokens there are', async (t) => {
  const [tokens, experts, k, capacity] = [3000, 7, 3, 900];
  const logits = randomTensor([tokens, experts], 11);
  for (const backend of testBackends()) {
    onBackend(backend, 4, () => {
      const { indices, kept, weights } = moeRoute(logits, { k, capacity });
      const places = new Array(experts).fill(0);
      let wrong = 0;
      for (let c = 0; c < k; c++) {
        for (let at = c; at < tokens * k; at += k) {
          const expected = places[indices.data[at] as number]++ < capacity;
          if (kept.data[at] !== Number(expected) || (weights.data[at] as number) > 0 !== expected) wrong++;
        }
      }
      t.equal(wrong, 0, backend.name);
    });
  }
});

t.test('balanced tokens have load balance 1', async (t) => {
  const logits = Tensor.from([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]);
  t.ok(Math.abs(moeRoute(logits, { k: 1 }).loadBalance.item() - 1) < 1e-6);
});

t.test('bad input is refused in words', async (t) => {
  const logits = Tensor.zeros([2, 3]);
  t.throws(() => moeRoute(logits, { k: 4 }), { code: 'UAM_ARGUMENT', message: 'moeRoute: k must be an integer from 1 to 3, received 4' });
  t.throws(() => moeRoute(logits, { k: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => moeRoute(logits, { k: 1, capacity: -1 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => moeRoute(Tensor.zeros([3]), { k: 1 }), { code: 'UAM_SHAPE' });
  t.throws(() => moeRoute(Tensor.zeros([2, 0]), { k: 1 }), { code: 'UAM_SHAPE' });
  t.throws(() => moeRoute(logits, { k: 1, topK: 2 } as object as { k: number }), /unknown option 'topK'/);
});
