import t from 'tap';
import { conv2d, convTranspose2d, mul, noGrad, sum, type Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

interface Options {
  stride?: number | [number, number];
  padding?: number;
  outputPadding?: number;
  dilation?: number;
  groups?: number;
}

function opCase(shape: [number, number, number, number], outputs: number, kernel: number, options: Options = {}, withBias = true): OpCase {
  const inputs = {
    x: randomTensor(shape, 1),
    weight: randomTensor([shape[3], kernel, kernel, outputs / (options.groups ?? 1)], 2),
    ...(withBias ? { bias: randomTensor([outputs], 3) } : {}),
  };
  return {
    name: `x [${shape}], ${outputs} outputs, kernel ${kernel}, ${JSON.stringify(options)}`,
    inputs,
    run: ({ x, weight, bias }) => convTranspose2d(x as Tensor, weight as Tensor, { bias, ...options }),
  };
}

t.test('kernels, strides, padding, output padding, dilation and groups', async (t) => {
  testOp(t, [
    opCase([2, 5, 6, 4], 3, 2, { stride: 2 }),
    opCase([1, 6, 7, 3], 5, 4, { stride: 2, padding: 1 }),
    opCase([1, 5, 5, 3], 4, 3, { stride: 2, padding: 1, outputPadding: 1 }),
    opCase([1, 5, 5, 3], 4, 3, { padding: 1 }),
    opCase([1, 4, 5, 3], 4, 1),
    opCase([1, 4, 5, 3], 4, 2, { stride: 3, outputPadding: 2 }), // outputs that no tap reaches are the bias
    opCase([1, 4, 5, 3], 4, 3, { stride: 2, dilation: 2 }),
    opCase([1, 4, 5, 3], 4, 3, { stride: 3, dilation: 2, padding: 2 }),
    opCase([1, 4, 5, 3], 4, 3, { stride: [1, 2] }),
    opCase([1, 4, 5, 6], 4, 3, { stride: 2, groups: 2 }),
    opCase([1, 4, 5, 3], 4, 2, { stride: 2 }, false),
  ]);
});

t.test('channels around the vector width', async (t) => {
  const counts = [1, 4, 7, 8, 9, 15, 16, 17, 32, 33];
  testOp(
    t,
    counts.map((outputs) => opCase([1, 3, 4, 3], outputs, 2, { stride: 2 })),
  );
  testOp(
    t,
    counts.map((inputs) => opCase([1, 3, 4, inputs], 3, 3, { stride: 2, padding: 1, outputPadding: 1 })),
  );
});

t.test('one pixel, one row, an empty batch', async (t) => {
  testOp(t, [
    opCase([1, 1, 1, 3], 4, 4, { stride: 4 }),
    opCase([1, 1, 9, 3], 4, 3, { padding: 1 }),
    opCase([1, 2, 2, 3], 4, 5, { padding: 2 }),
    opCase([0, 3, 3, 3], 4, 2, { stride: 2 }),
  ]);
});

t.test('many tasks', async (t) => {
  testOp(t, [{ ...opCase([2, 40, 41, 20], 36, 2, { stride: 2 }), skipFiniteDifferences: true, gradTolerance: 1e-5 }]);
});

t.test('it is the adjoint of conv2d', async (t) => {
  const options = { stride: 2, padding: 1 };
  const x = randomTensor([1, 9, 7, 3], 1);
  const weight = randomTensor([4, 3, 3, 3], 2);
  noGrad(() => {
    const y = conv2d(x, weight, options);
    const g = randomTensor(y.shape, 3);
    const forward = sum(mul(y, g)).item();
    const backward = sum(mul(x, convTranspose2d(g, weight, options))).item();
    t.ok(Math.abs(forward - backward) < 1e-5 * Math.abs(forward) + 1e-5);
  });
});

t.test('impossible shapes and options are refused with the reason', async (t) => {
  const x = randomTensor([1, 2, 2, 3], 1);
  const weight = randomTensor([3, 2, 2, 4], 2);
  t.throws(() => convTranspose2d(x, weight, { padding: 2 }), { code: 'UAM_SHAPE', message: /nothing is left of the output/ });
  t.throws(() => convTranspose2d(x, weight, { outputPadding: 1 }), {
    code: 'UAM_ARGUMENT',
    message: /outputPadding 1 must be less than the stride 1/,
  });
  t.throws(() => convTranspose2d(randomTensor([1, 2, 2, 4], 1), weight), { code: 'UAM_SHAPE', message: /weight must be \[4, / });
  t.throws(() => convTranspose2d(x, weight, { bias: randomTensor([3], 1) }), { code: 'UAM_SHAPE', message: /bias must be \[4\]/ });
  t.throws(() => convTranspose2d(randomTensor([1, 0, 2, 3], 1), weight), { code: 'UAM_SHAPE' });
});
