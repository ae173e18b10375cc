import t from 'tap';
import { add, div, maximum, minimum, mul, sub, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const functions = { add, sub, mul, div, maximum, minimum };
const shapes: [number[], number[]][] = [
  [[0], [0]],
  [[1], [1]],
  [[17], [17]],
  [[33], [1]],
  [[], [5]],
  [
    [4, 1, 3],
    [2, 3],
  ],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [
    [0, 4],
    [1, 4],
  ],
  // fours of neighbours: whole, repeated along the last axis, repeated along others
  [
    [3, 2, 8],
    [1, 8],
  ],
  [
    [3, 5, 8],
    [3, 1, 8],
  ],
  [
    [6, 12],
    [6, 1],
  ],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[40000], [40000]],
  [[129, 257], [257]],
  [
    [129, 257],
    [129, 1],
  ],
];

t.test('every function over broadcast shapes', async (t) => {
  for (const [name, op] of Object.entries(functions)) {
    testOp(
      t,
      shapes
        .filter(([a]) => (a[0] ?? 0) < 129 || name === 'mul')
        .map(
          ([a, b], i): OpCase => ({
            name: `${name} [${a}] [${b}]`,
            inputs: { a: randomTensor(a, i + 1, -2, 2), b: randomTensor(b, i + 50, 0.5, 2) },
            run: ({ a, b }) => op(a as Tensor, b as Tensor),
          }),
        ),
    );
  }
});

t.test('every length around a vector', async (t) => {
  testOp(
    t,
    Array.from(
      { length: 34 },
      (_, n): OpCase => ({
        name: `sub n = ${n}`,
        inputs: { a: randomTensor([n], 1), b: randomTensor([n], 2) },
        run: ({ a, b }) => sub(a as Tensor, b as Tensor),
      }),
    ),
  );
});

t.test('NaN and infinities', async (t) => {
  const a = Tensor.from([Number.NaN, 1, Infinity, -Infinity, Infinity, 0]);
  const b = Tensor.from([1, Number.NaN, Infinity, Infinity, 0, 0]);
  for (const [name, op] of Object.entries(functions)) {
    testOp(t, [{ name, inputs: { a, b }, run: ({ a, b }) => op(a as Tensor, b as Tensor), wrt: [] }]);
  }
});

t.test('numbers stand for tensors, and equal values give the gradient to a', async (t) => {
  t.same([...add(Tensor.from([1, 2]), 10).data], [11, 12]);
  t.same([...sub(1, Tensor.from([1, 2])).data], [0, -1]);
});

t.test('bad operands', async (t) => {
  t.throws(() => add(Tensor.zeros([2]), Tensor.zeros([3])), { code: 'UAM_SHAPE', message: /broadcast|equal on every axis/ });
  t.throws(() => add(Tensor.zeros([2]), Tensor.zeros([2], 'int32')), { code: 'UAM_DTYPE' });
  t.throws(() => add(Tensor.zeros([2]), Tensor.zeros([2], 'float64')), { code: 'UAM_DTYPE' });
  t.throws(() => add('1' as unknown as number, Tensor.zeros([2])), { code: 'UAM_ARGUMENT' });
});
