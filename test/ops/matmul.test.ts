import t from 'tap';
import { matmul, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('both operands transposed or not, batches that broadcast', async (t) => {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      for (const [aBatch, bBatch] of [
        [[], []],
        [[3], [3]],
        [[3], []],
        [[], [3]],
        [[2, 1], [3]],
        [
          [2, 3],
          [2, 3],
        ],
        [
          [2, 1],
          [1, 3],
        ],
        [
          [4, 2],
          [1, 1],
        ],
        [[1], [4, 2]],
        [[0], [1]],
      ] as [number[], number[]][]) {
        const [m, n, k] = [5, 9, 4];
        const inputs = {
          a: randomTensor([...aBatch, ...(transposeA ? [k, m] : [m, k])], 1),
          b: randomTensor([...bBatch, ...(transposeB ? [n, k] : [k, n])], 2),
        };
        testOp(t, [
          {
            name: `[${aBatch}] by [${bBatch}], ${transposeA}, ${transposeB}`,
            inputs,
            run: ({ a, b }) => matmul(a as Tensor, b as Tensor, { transposeA, transposeB }),
          },
        ]);
      }
    }
  }
});

t.test('sizes: nothing, vectors, and more than a block', async (t) => {
  for (const [m, n, k] of [
    [1, 1, 1],
    [1, 40, 30],
    [40, 1, 30],
    [0, 3, 2],
    [3, 0, 2],
    [3, 2, 0],
    [130, 70, 20],
    [20, 33, 500],
  ] as const) {
    testOp(t, [
      {
        name: `${m} x ${n} x ${k}`,
        inputs: { a: randomTensor([m, k], 1), b: randomTensor([k, n], 2) },
        run: ({ a, b }) => matmul(a as Tensor, b as Tensor),
      },
    ]);
  }
});

t.test('what does not fit is refused', async (t) => {
  const a = randomTensor([2, 3], 1);
  t.throws(() => matmul(a, a), { code: 'UAM_SHAPE', message: /one k, with batch axes that broadcast, received \[2, 3\] and \[2, 3\]/ });
  t.throws(() => matmul(randomTensor([2, 2, 3], 1), randomTensor([3, 3, 2], 1)), { code: 'UAM_SHAPE' });
  t.throws(() => matmul(randomTensor([3], 1), a), { code: 'UAM_SHAPE', message: /reshape a vector/ });
  t.throws(() => matmul(a, Tensor.from(new Float64Array(6), [3, 2])), { code: 'UAM_DTYPE' });
  t.throws(() => matmul(a, a, { transpose: true } as object), { code: 'UAM_ARGUMENT' });
});
