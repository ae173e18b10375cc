import t from 'tap';
import { bceWithLogits, grad, type Reduction, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomTensor, uniform } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function lossCase(shape: number[], reduction: Reduction, weighted: boolean, masked: boolean): OpCase {
  const size = shape.reduce((a, b) => a * b, 1);
  const next = uniform(size);
  return {
    name: `[${shape}], ${reduction}${weighted ? ', weighted' : ''}${masked ? ', masked' : ''}`,
    inputs: {
      x: randomTensor(shape, size + 1, -6, 6),
      target: randomTensor(shape, size + 2, 0, 1),
      ...(weighted && { posWeight: randomTensor(shape.slice(-1), 3, 0.3, 3) }),
      ...(masked && {
        keep: Tensor.from(
          Uint8Array.from({ length: size }, () => (next() < 0.3 ? 0 : 1)),
          shape,
        ),
      }),
    },
    wrt: ['x'],
    run: ({ x, target, posWeight, keep }) => bceWithLogits(x as Tensor, target as Tensor, { posWeight, keep, reduction }),
  };
}

t.test('every length around the vector, the span and the block', async (t) => {
  const lengths = [0, ...Array.from({ length: 18 }, (_, i) => i + 1), 31, 33, 255, 256, 257, 8191, 8192, 8193];
  testOp(
    t,
    lengths.map((n) => lossCase([n], 'mean', false, n % 2 === 1)),
  );
});

t.test('weights of columns meet their columns, whatever their number', async (t) => {
  const cases: OpCase[] = [];
  for (const columns of [1, 2, 3, 5, 7, 8, 15, 16, 17, 40, 8195])
    cases.push(lossCase([columns > 100 ? 3 : 29, columns], 'none', true, false));
  for (const reduction of ['none', 'mean', 'sum'] as const)
    for (const masked of [false, true]) cases.push(lossCase([7, 5], reduction, true, masked));
  testOp(t, cases);
});

t.test('nothing kept: loss 0 and zero gradients', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const x = Tensor.from([Number.NaN, 1, Infinity]).requireGrad();
      const loss = bceWithLogits(x, Tensor.from([1, 0, 1]), { keep: Tensor.zeros([3], 'uint8') });
      t.equal(loss.item(), 0, backend.name);
      t.same([...(grad(loss, [x])[0] as Tensor).data], [0, 0, 0]);
    });
  }
});

t.test('far tails keep their relative accuracy; NaN goes through', async (t) => {
  const values = [-1e30, -200, -100, -88, -30, -10, 10, 30, 88, 100, 200, 1e30];
  for (const target of [0, 1]) {
    for (const value of [...values, Number.NaN]) {
      testOp(t, [
        {
          name: `x = ${value}, target ${target}`,
          inputs: { x: Tensor.from([value]), target: Tensor.from([target]) },
          wrt: ['x'],
          run: (inputs) => bceWithLogits(inputs.x as Tensor, inputs.target as Tensor, { reduction: 'none' }),
          skipFiniteDifferences: true,
        },
      ]);
    }
  }
});

t.test('bad input is refused in words', async (t) => {
  const x = Tensor.zeros([2, 3]);
  t.throws(() => bceWithLogits(x, Tensor.zeros([3, 2])), {
    code: 'UAM_SHAPE',
    message: /bceWithLogits: target must be \[2, 3\], received \[3, 2\]/,
  });
  t.throws(() => bceWithLogits(x, x, { posWeight: Tensor.zeros([2]) }), { code: 'UAM_SHAPE' });
  t.throws(() => bceWithLogits(x, x, { keep: x }), { code: 'UAM_DTYPE' });
  t.throws(() => bceWithLogits(x, Tensor.zeros([2, 3], 'int32')), { code: 'UAM_DTYPE' });
});
