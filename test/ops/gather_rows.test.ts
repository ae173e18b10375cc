import t from 'tap';
import { gather, scatterAdd, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('gather and scatterAdd along any axis', async (t) => {
  for (const [shape, axis, index] of [
    [[5, 3], 0, [4, 0, 0, 2]],
    [[5, 3], 1, [2, 2]],
    [[2, 4, 3], -2, [3, 1, 3, 3, 0]],
    [[5, 3], 0, []],
    [[1], 0, [0]],
    [[400, 70], 0, Array.from({ length: 900 }, (_, i) => (i * 37) % 400)],
  ] as [number[], number, number[]][]) {
    const ids = Tensor.from(Int32Array.from(index));
    testOp(t, [
      { name: `gather [${shape}] along ${axis}`, inputs: { x: randomTensor(shape, 1) }, run: ({ x }) => gather(x as Tensor, ids, axis) },
    ]);
    const at = axis < 0 ? axis + shape.length : axis;
    const source = shape.map((n, i) => (i === at ? index.length : n));
    testOp(t, [
      {
        name: `scatterAdd [${source}] along ${axis}`,
        inputs: { x: randomTensor(source, 2) },
        run: ({ x }) => scatterAdd(x as Tensor, ids, shape[at] as number, axis),
      },
    ]);
  }
});

t.test('an index out of range is refused and nothing is read', async (t) => {
  const x = randomTensor([3, 2], 1);
  for (const bad of [-1, 3, 2147483647]) {
    t.throws(() => gather(x, Tensor.from(Int32Array.of(0, bad))), { code: 'UAM_ARGUMENT', message: /index\[1\] must be from 0 to 2/ });
    t.throws(() => scatterAdd(x, Tensor.from(Int32Array.of(0, 1, bad)), 3), { code: 'UAM_ARGUMENT' });
  }
  t.throws(() => gather(x, Tensor.from([0, 1])), { code: 'UAM_DTYPE' });
  t.throws(() => scatterAdd(x, Tensor.from(Int32Array.of(0)), 3), { code: 'UAM_SHAPE' });
});
