import t from 'tap';
import { broadcastTo, max, mean, min, sum, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

type Options = { axis?: number | number[]; keepDims?: boolean };

const cases: [number[], Options][] = [
  [[0], {}],
  [[], {}],
  [[1], {}],
  [[3, 4, 5], {}],
  [[3, 4, 5], { axis: 0 }],
  [[3, 4, 5], { axis: 1 }],
  [[3, 4, 5], { axis: -1 }],
  [[3, 4, 5], { axis: [0, 2] }],
  [[3, 4, 5], { axis: [1, 0], keepDims: true }],
  [[3, 0, 5], { axis: 1 }],
  [[0, 4], { axis: 1 }],
  [[2, 3], { axis: [] }],
  [[70001], {}],
  [[5, 16385], { axis: 1 }],
  [[2100, 37], { axis: 0 }],
  [[3, 1025, 5], { axis: 1 }],
  ...Array.from({ length: 70 }, (_, n): [number[], Options] => [[2, n], { axis: 1 }]),
];

t.test('sum and mean over any axes', async (t) => {
  testOp(
    t,
    cases.map(
      ([shape, options], i): OpCase => ({
        name: `sum [${shape}] ${JSON.stringify(options)}`,
        inputs: { x: randomTensor(shape, i + 1) },
        run: ({ x }) => sum(x as Tensor, options),
      }),
    ),
  );
  testOp(
    t,
    cases
      .filter(([shape]) => !shape.includes(0))
      .slice(0, 14)
      .map(
        ([shape, options], i): OpCase => ({
          name: `mean [${shape}] ${JSON.stringify(options)}`,
          inputs: { x: randomTensor(shape, i + 1) },
          run: ({ x }) => mean(x as Tensor, options),
        }),
      ),
  );
});

t.test('a long sum of equal numbers does not drift', async (t) => {
  const x = Tensor.full([3_000_000], 0.1);
  t.ok(Math.abs(sum(x).item() / (3_000_000 * Math.fround(0.1)) - 1) < 2e-6);
});

t.test('max and min: first of equals, NaN wins', async (t) => {
  for (const [name, op] of Object.entries({ max, min })) {
    testOp(
      t,
      [1, 2, 3, 16, 33].map(
        (n): OpCase => ({
          name: `${name} over ${n}`,
          inputs: { x: randomTensor([3, n, 4], n) },
          run: ({ x }) => op(x as Tensor, { axis: 1 }).values,
        }),
      ),
    );
  }
  // long axes, with the greatest at several places
  const repeated = Tensor.from(Float32Array.from({ length: 30_000 }, (_, i) => Math.abs(((i * 7919) % 5000) - 2500)));
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const [shape, axis] of [
        [[30_000], 0],
        [[2, 15_000], 1],
        [[15_000, 2], 0],
        [[3, 5000, 2], 1],
      ] as [number[], number][]) {
        for (const op of [max, min]) {
          const x = repeated.alias(shape);
          const expected = onBackend({ name: 'oracle', backend: 'reference' }, 1, () => op(x, { axis }));
          const actual = op(x, { axis });
          const same = sameBits(actual.values.data, expected.values.data) && sameBits(actual.indices.data, expected.indices.data);
          t.ok(same, `${backend.name}: ${op.name} of [${shape}] along ${axis}`);
        }
      }
    });
  }
  t.equal(max(Tensor.from([1, 7, 7])).indices.item(), 1);
  t.equal(min(Tensor.from([3, Number.NaN, 1])).indices.item(), 1);
  t.throws(() => max(Tensor.zeros([2, 0])), { code: 'UAM_SHAPE' });
  t.throws(() => sum(Tensor.zeros([2]), { axis: 1 }), { code: 'UAM_ARGUMENT', message: /axis must be an integer from -1 to 0/ });
  t.throws(() => sum(Tensor.zeros([2]), { axis: [0, -1] }), { code: 'UAM_ARGUMENT', message: /twice/ });
});

t.test('broadcastTo', async (t) => {
  testOp(t, [
    { name: 'columns', inputs: { x: randomTensor([3, 1], 1) }, run: ({ x }) => broadcastTo(x as Tensor, [2, 3, 4]) },
    { name: 'to nothing', inputs: { x: randomTensor([1], 1) }, run: ({ x }) => broadcastTo(x as Tensor, [0]) },
  ]);
  t.throws(() => broadcastTo(Tensor.zeros([2]), [3]), { code: 'UAM_SHAPE' });
});
