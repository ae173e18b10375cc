import t from 'tap';
import { gateMix, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const opCase = (rows: number, groups: number, width: number): OpCase => ({
  name: `${rows} rows, ${groups} groups of ${width}`,
  inputs: {
    gate: randomTensor([rows, groups], 1, 0, 1),
    a: randomTensor([rows, groups * width], 2),
    b: randomTensor([rows, groups * width], 3),
  },
  run: ({ gate, a, b }) => ({ y: gateMix(gate as Tensor, a as Tensor, b as Tensor) }),
});

t.test('any number of rows, groups and columns', async (t) => {
  testOp(t, [
    ...[1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33].map((width) => opCase(3, 2, width)),
    ...[1, 4, 15, 16, 17, 40].map((groups) => opCase(5, groups, 1)),
    opCase(700, 4, 16),
    opCase(0, 2, 4),
    opCase(2, 3, 0),
  ]);
});

t.test('NaN and infinities stay in their columns', async (t) => {
  const base = opCase(2, 2, 5);
  const spoilt = (base.inputs.a as Tensor).clone();
  spoilt.data.set([Number.NaN, Number.POSITIVE_INFINITY]);
  testOp(t, [{ ...base, inputs: { ...base.inputs, a: spoilt }, skipFiniteDifferences: true }]);
});

t.test('what does not fit is refused', async (t) => {
  const x = Tensor.zeros([2, 6]);
  t.throws(() => gateMix(Tensor.zeros([2, 4]), x, x), { code: 'UAM_SHAPE', message: /divisor of 6/ });
  t.throws(() => gateMix(Tensor.zeros([3, 2]), x, x), { code: 'UAM_SHAPE', message: /gate must be/ });
  t.throws(() => gateMix(Tensor.zeros([2, 2]), x, Tensor.zeros([2, 4])), { code: 'UAM_SHAPE', message: /b must be/ });
  t.throws(() => gateMix(Tensor.zeros([2, 2], 'float64'), x, x), { code: 'UAM_DTYPE' });
});
