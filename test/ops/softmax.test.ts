import t from 'tap';
import { logSoftmax, softmax, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const both = { softmax, logSoftmax };

function cases(label: string, inputs: OpCase['inputs'], axis: number, rest: Partial<OpCase> = {}): OpCase[] {
  return Object.entries(both).map(([name, op]) => ({ name: `${name}, ${label}`, inputs, run: ({ x }) => op(x as Tensor, axis), ...rest }));
}

t.test('every length around the vector', async (t) => {
  const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000];
  testOp(t, [
    ...lengths.flatMap((n) =>
      cases(`last axis of ${n}`, { x: randomTensor([3, n], n, -4, 4) }, -1, n === 1 ? { skipFiniteDifferences: true } : {}),
    ),
    ...lengths.flatMap((n) => cases(`axis of 5, inner ${n}`, { x: randomTensor([2, 5, n], n, -4, 4) }, 1)),
    ...cases('first axis, longer than a block of the sums', { x: randomTensor([700, 3], 1, -4, 4) }, 0),
    ...cases('one long row', { x: randomTensor([9000], 1, -4, 4) }, 0),
    ...cases('many rows', { x: randomTensor([3001, 8], 1, -4, 4) }, 1),
    ...cases('many strips', { x: randomTensor([3, 20, 1000], 1, -4, 4) }, 1),
    ...cases('empty axis', { x: randomTensor([3, 0], 1) }, 1),
    ...cases('no columns', { x: randomTensor([3, 4, 0], 1) }, 1),
  ]);
});

t.test('large values', async (t) => {
  testOp(t, [...cases('rows', { x: randomTensor([5, 37], 2, -300, 300) }, -1, { skipFiniteDifferences: true })]);
  testOp(t, [...cases('columns', { x: randomTensor([37, 5], 2, -300, 300) }, 0, { skipFiniteDifferences: true })]);
});

t.test('NaN and infinities go through as in the definition', async (t) => {
  const infinity = Number.POSITIVE_INFINITY;
  const rows = [
    [1, 2, -infinity, 0, 3],
    [-infinity, -infinity, -infinity, -infinity, -infinity],
    [1, infinity, 2, 3, 4],
    [1, 2, Number.NaN, 3, 4],
    [0, 1, 2, 3, 4],
  ];
  testOp(t, [...cases('rows', { x: Tensor.from(rows.flat(), [5, 5]) }, 1, { skipFiniteDifferences: true })]);
  const columns = rows.flatMap((_, a) => rows.map((row) => row[a] as number));
  testOp(t, [...cases('columns', { x: Tensor.from(columns, [5, 5]) }, 0, { skipFiniteDifferences: true })]);
});

t.test('bad arguments are named', async (t) => {
  const x = Tensor.zeros([2, 3]);
  t.throws(() => softmax(x, 2), { code: 'UAM_ARGUMENT', message: /softmax: axis must be an integer from -2 to 1, received 2/ });
  t.throws(() => logSoftmax(x, 0.5), { code: 'UAM_ARGUMENT', message: /logSoftmax: axis/ });
  t.throws(() => softmax(Tensor.from(Int32Array.of(1))), { code: 'UAM_DTYPE' });
});
