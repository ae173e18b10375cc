import t from 'tap';
import { type SoftDiceOptions, softDice, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function lossCase(shape: number[], options: SoftDiceOptions, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `[${shape}] ${JSON.stringify(options)}`,
    inputs: { x: randomTensor(shape, 5, -4, 4), target: randomTensor(shape, 6, 0, 1) },
    wrt: ['x'],
    run: ({ x, target }) => softDice(x as Tensor, target as Tensor, options),
    ...extra,
  };
}

t.test('every combination of options', async (t) => {
  const cases: OpCase[] = [];
  for (const activation of ['sigmoid', 'softmax'] as const)
    for (const perSample of [true, false])
      for (const squared of [true, false])
        for (const smooth of [0, 1e-5, 1]) cases.push(lossCase([3, 4, 5, 3], { activation, perSample, squared, smooth }));
  testOp(t, cases);
});

t.test('channels and pixels around the vector and the block', async (t) => {
  const cases: OpCase[] = [];
  for (let channels = 1; channels <= 17; channels++) cases.push(lossCase([2, 19, channels], { activation: 'softmax', squared: true }));
  for (const channels of [33, 64, 65, 128, 129, 300])
    for (const activation of ['sigmoid', 'softmax'] as const) cases.push(lossCase([2, 11, channels], { activation, squared: true }));
  for (const pixels of [1, 2, 15, 16, 17, 255, 256, 257]) cases.push(lossCase([2, pixels, 2], {}));
  for (const pixels of [3071, 3072, 3073]) cases.push(lossCase([2, pixels, 5], { perSample: false }));
  testOp(t, cases);
});

t.test('empty axes', async (t) => {
  testOp(
    t,
    [
      [0, 4, 2],
      [2, 0, 3],
      [2, 3, 0],
    ].flatMap((shape) => [lossCase(shape, {}), lossCase(shape, { perSample: false, activation: 'softmax' })]),
  );
});

t.test('extreme, infinite and NaN logits', async (t) => {
  const target = Tensor.from([1, 0, 0, 1, 1, 0], [1, 3, 2]);
  for (const activation of ['sigmoid', 'softmax'] as const) {
    for (const values of [
      [100, -100, 1e4, -1e4, 0, 0],
      [Infinity, 0, 1, 2, 3, 4],
      [Number.NaN, 0, 1, 2, 3, 4],
    ]) {
      testOp(t, [
        lossCase([1, 3, 2], { activation }, { inputs: { x: Tensor.from(values, [1, 3, 2]), target }, skipFiniteDifferences: true }),
      ]);
    }
  }
});

t.test('bad input is refused in words', async (t) => {
  const x = Tensor.zeros([2, 3]);
  t.throws(() => softDice(x, Tensor.zeros([2, 2])), { code: 'UAM_SHAPE' });
  t.throws(() => softDice(Tensor.zeros([2]), Tensor.zeros([2])), { code: 'UAM_SHAPE', message: /\[samples, \.\.\., channels\]/ });
  t.throws(() => softDice(x, x, { activation: 'tanh' } as object), { code: 'UAM_ARGUMENT', message: /'sigmoid' or 'softmax'/ });
  t.throws(() => softDice(x, x, { smooth: -1 }), { code: 'UAM_ARGUMENT' });
});
