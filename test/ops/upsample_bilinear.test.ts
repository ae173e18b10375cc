import t from 'tap';
import { Tensor, upsampleBilinear } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function opCase(shape: [number, number, number, number], size: [number, number], alignCorners: boolean): OpCase {
  return {
    name: `[${shape}] to [${size}]${alignCorners ? ', corners aligned' : ''}`,
    inputs: { x: randomTensor(shape, 1) },
    run: ({ x }) => upsampleBilinear(x as Tensor, size, { alignCorners }),
  };
}

t.test('any size to any size, both conventions', async (t) => {
  const pairs: [number, number, number, number][] = [
    [5, 7, 10, 14],
    [6, 4, 13, 9],
    [9, 8, 4, 5],
    [9, 8, 1, 1],
    [1, 1, 3, 4],
    [1, 5, 4, 1],
    [2, 2, 2, 2],
    [30, 3, 7, 29],
  ];
  for (const alignCorners of [false, true])
    testOp(
      t,
      pairs.map(([h, w, oh, ow]) => opCase([2, h, w, 3], [oh, ow], alignCorners)),
    );
});

t.test('channels around the vector width', async (t) => {
  testOp(
    t,
    [0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 33].map((channels) => opCase([1, 3, 4, channels], [5, 7], false)),
  );
});

t.test('an empty batch, and many rows', async (t) => {
  testOp(t, [opCase([0, 3, 3, 2], [6, 6], false), { ...opCase([2, 50, 60, 20], [100, 120], false), skipFiniteDifferences: true }]);
});

t.test('NaN and infinities reach the outputs that see them, also with weight 0', async (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const made = opCase([1, 4, 4, 3], [8, 8], false);
    (made.inputs.x as Tensor).data[16] = value;
    testOp(t, [{ ...made, name: `x with ${value}`, skipFiniteDifferences: true }]);
  }
});

t.test('a constant stays what it is, and bad sizes are refused', async (t) => {
  t.ok(upsampleBilinear(Tensor.full([1, 3, 5, 2], 0.7), [11, 4]).data.every((value) => value === Math.fround(0.7)));
  const x = randomTensor([1, 2, 2, 1], 1);
  t.throws(() => upsampleBilinear(x, [0, 3]), { code: 'UAM_ARGUMENT', message: /two integers >= 1/ });
  t.throws(() => upsampleBilinear(x, [2.5, 3]), { code: 'UAM_ARGUMENT' });
  t.throws(() => upsampleBilinear(randomTensor([1, 0, 2, 1], 1), [2, 2]), { code: 'UAM_SHAPE', message: /no pixels/ });
  t.throws(() => upsampleBilinear(randomTensor([2, 2], 1), [2, 2]), { code: 'UAM_SHAPE' });
});
