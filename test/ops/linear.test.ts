import t from 'tap';
import { type Activation, linear, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const run =
  (activation?: Activation) =>
  ({ x, weight, bias }: Record<string, Tensor>) =>
    linear(x as Tensor, weight as Tensor, bias, activation ? { activation } : {});

t.test('shapes from nothing to several blocks', async (t) => {
  const cases = (
    [
      [[1], 1, 1],
      [[7], 7, 3],
      [[1, 16], 16, 9],
      [[13, 7], 7, 5],
      [[2, 3, 8], 8, 36],
      [[60, 33], 33, 40],
      [[0, 4], 4, 3],
      [[3, 0], 0, 4],
      [[3, 4], 4, 0],
      [[300, 40], 40, 70],
    ] as [number[], number, number][]
  ).flatMap(([shape, inputs, outputs]): OpCase[] => {
    const [x, weight, bias] = [randomTensor(shape, 1), randomTensor([outputs, inputs], 2), randomTensor([outputs], 3)];
    return [
      { name: `[${shape}] to ${outputs}`, inputs: { x, weight, bias }, run: run() },
      { name: `[${shape}] to ${outputs} without bias`, inputs: { x, weight }, run: run() },
    ];
  });
  testOp(t, cases);
});

t.test('every activation', async (t) => {
  const inputs = { x: randomTensor([40, 12], 1), weight: randomTensor([21, 12], 2), bias: randomTensor([21], 3) };
  for (const activation of ['relu', 'sigmoid', 'tanh', 'silu', 'softplus', 'geluTanh'] as const) {
    testOp(t, [{ name: activation, inputs, run: run(activation) }]);
  }
});

t.test('a long column of tokens: the gradients of weight and bias are summed over it', async (t) => {
  const inputs = { x: randomTensor([5000, 3], 1), weight: randomTensor([9, 3], 2), bias: randomTensor([9], 3) };
  testOp(t, [{ name: '5000 tokens', inputs, run: run('silu') }]);
});

t.test('NaN and infinities go through as in the definition', async (t) => {
  const x = Tensor.from([1, Number.NaN, 2, Infinity, 3, -1, 0.5, 2], [4, 2]);
  testOp(t, [{ name: 'non-finite x', inputs: { x, weight: randomTensor([3, 2], 2) }, run: run(), skipFiniteDifferences: true }]);
});

t.test('what does not fit is refused', async (t) => {
  const [x, weight] = [randomTensor([2, 3], 1), randomTensor([4, 3], 2)];
  t.throws(() => linear(x, randomTensor([3, 4], 1)), {
    code: 'UAM_SHAPE',
    message: /linear: weight must be \[outputs, 3\], received \[3, 4\]/,
  });
  t.throws(() => linear(x, weight, randomTensor([3], 1)), { code: 'UAM_SHAPE', message: /linear: bias must be \[4\]/ });
  t.throws(() => linear(Tensor.from([], []), weight), { code: 'UAM_SHAPE' });
  t.throws(() => linear(x, Tensor.from(new Float64Array(12), [4, 3])), { code: 'UAM_DTYPE' });
  t.throws(() => linear(x, weight, undefined, { activation: 'swish' as Activation }), {
    code: 'UAM_ARGUMENT',
    message: /activation must be one of none, relu/,
  });
  t.throws(() => linear(x, weight, undefined, { activations: 'relu' } as object), { code: 'UAM_ARGUMENT' });
});
