import t from 'tap';
import { Tensor, where } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('where over broadcast shapes', async (t) => {
  for (const [m, a, b] of [
    [[0], [0], [0]],
    [[7], [7], [7]],
    [[3, 1], [4], []],
    [[4], [2, 1], [3, 1, 4]],
    // fours of neighbours
    [[24], [24], [24]],
    [[5, 1], [5, 8], [8]],
    [[3, 8], [3, 1], []],
  ] as number[][][]) {
    const noise = randomTensor(m as number[], 9);
    const mask = Tensor.from(
      Uint8Array.from(noise.data, (value) => (value > 0 ? 2 : 0)),
      m,
    );
    testOp(t, [
      {
        name: `where [${m}] [${a}] [${b}]`,
        inputs: { mask, a: randomTensor(a as number[], 1), b: randomTensor(b as number[], 2) },
        run: ({ mask, a, b }) => where(mask as Tensor, a as Tensor, b as Tensor),
      },
    ]);
  }
  const nan = where(Tensor.from(Uint8Array.of(0, 1)), Tensor.from([Number.NaN, 1]), Tensor.from([2, Number.NaN]));
  t.same([...nan.data], [2, 1], 'what is not chosen does not matter');
  t.throws(() => where(Tensor.zeros([2]), Tensor.zeros([2]), Tensor.zeros([2])), { code: 'UAM_DTYPE' });
});
