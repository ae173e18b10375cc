import t from 'tap';
import { groupNorm, type Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function opCase(shape: number[], groups: number, affine = true, [low, high] = [-1, 1]): OpCase {
  const channels = shape.at(-1) as number;
  return {
    name: `[${shape}] in ${groups} groups${affine ? '' : ', no weight'}`,
    inputs: {
      x: randomTensor(shape, 1, low, high),
      ...(affine ? { weight: randomTensor([channels], 2), bias: randomTensor([channels], 3) } : {}),
    },
    run: ({ x, weight, bias }) => groupNorm(x as Tensor, groups, { weight, bias }),
  };
}

t.test('groups of every size, instance and layer-like normalisation', async (t) => {
  testOp(
    t,
    [1, 2, 3, 4, 6, 12].map((groups) => opCase([2, 5, 7, 12], groups)),
  );
  testOp(t, [opCase([2, 9, 12], 3, false), opCase([3, 12], 3), opCase([2, 3, 2, 2, 4], 2)]);
});

t.test('channels around the vector width, pixels around the strip', async (t) => {
  testOp(
    t,
    [1, 3, 4, 5, 8, 9, 15, 16, 17, 33].map((channels) => opCase([2, 11, channels], channels === 9 || channels === 33 ? 3 : 1)),
  );
  testOp(
    t,
    [1, 2, 127, 128, 129, 300].map((pixels) => opCase([2, pixels, 6], 2)),
  );
});

t.test('empty batches, no pixels, one element a group', async (t) => {
  testOp(
    t,
    [opCase([0, 4, 4, 6], 2), opCase([2, 0, 6], 2)].map((made) => ({ ...made, skipFiniteDifferences: true })),
  );
  // the gradient of a lone element is 0, made of terms near 1 / sqrt(eps) = 316: what is left is measured in units of 1e-6
  testOp(t, [{ ...opCase([1, 1, 4], 4), skipFiniteDifferences: true, gradTolerance: 50 }]);
});

t.test('many strips, and a mean large beside the spread', async (t) => {
  testOp(t, [{ ...opCase([2, 60, 60, 32], 4), skipFiniteDifferences: true }]);
  // float32 holds x itself to 1e-4 of its spread here
  testOp(t, [{ ...opCase([1, 20, 20, 8], 2, true, [1000, 1001]), skipFiniteDifferences: true, tolerance: 3e-4, gradTolerance: 3e-4 }]);
});

t.test('NaN and infinities spoil their own group alone', async (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const made = opCase([2, 9, 8], 4);
    (made.inputs.x as Tensor).data[11] = value;
    testOp(t, [{ ...made, name: `x with ${value}`, skipFiniteDifferences: true }]);
  }
});

t.test('groups that do not divide the channels are refused', async (t) => {
  const x = randomTensor([1, 4, 6], 1);
  t.throws(() => groupNorm(x, 4), { code: 'UAM_ARGUMENT', message: /divides the 6 channels/ });
  t.throws(() => groupNorm(x, 0), { code: 'UAM_ARGUMENT' });
  t.throws(() => groupNorm(randomTensor([6], 1), 2), { code: 'UAM_SHAPE' });
  t.throws(() => groupNorm(x, 2, { weight: randomTensor([3], 1) }), { code: 'UAM_SHAPE', message: /weight must be \[6\]/ });
  t.throws(() => groupNorm(x, 2, { eps: Number.NaN }), { code: 'UAM_ARGUMENT' });
});
