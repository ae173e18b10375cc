import t from 'tap';
import * as uam from '../../src/index.js';
import { Tensor, UamError } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

type Unary = (x: Tensor) => Tensor;

// name, function, and the range of inputs that suits it (away from kinks)
const functions: [string, Unary, number, number][] = [
  ['neg', uam.neg, -3, 3],
  ['abs', uam.abs, 0.1, 3],
  ['exp', uam.exp, -3, 3],
  ['log', uam.log, 0.1, 5],
  ['sqrt', uam.sqrt, 0.1, 5],
  ['square', uam.square, -3, 3],
  ['reciprocal', uam.reciprocal, 0.5, 3],
  ['tanh', uam.tanh, -3, 3],
  ['sigmoid', uam.sigmoid, -5, 5],
  ['silu', uam.silu, -5, 5],
  ['softplus', uam.softplus, -5, 5],
  ['relu', uam.relu, 0.1, 3],
  ['geluTanh', uam.geluTanh, -5, 5],
  ['geluErf', uam.geluErf, -5, 5],
];

t.test('every length around the vector and the block size', async (t) => {
  const lengths = [0, ...Array.from({ length: 34 }, (_, i) => i + 1), 16383, 16384, 16385, 40000];
  for (const [name, op, low, high] of functions) {
    const chosen = name === 'silu' ? lengths : [0, 1, 5, 17, 33];
    testOp(
      t,
      chosen.map(
        (n): OpCase => ({ name: `${name}, n = ${n}`, inputs: { x: randomTensor([n], n + 1, low, high) }, run: ({ x }) => op(x as Tensor) }),
      ),
    );
  }
});

t.test('extreme, infinite and NaN inputs go through as in the definition', async (t) => {
  const x = Tensor.from([-Infinity, -100, -88, -20, -0, 0, 1e-30, 20, 88, 100, Infinity, Number.NaN]);
  for (const [name, op] of functions) {
    testOp(t, [{ name, inputs: { x }, run: (inputs) => op(inputs.x as Tensor), skipFiniteDifferences: true }]);
  }
});

t.test('only float tensors are taken', async (t) => {
  t.throws(() => uam.exp(Tensor.from(Int32Array.of(1))), { name: 'UamError', code: 'UAM_DTYPE', message: /exp: x must be float32/ });
  t.throws(() => uam.exp([1] as unknown as Tensor), UamError);
});
