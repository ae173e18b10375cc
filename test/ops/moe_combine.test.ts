import t from 'tap';
import { moeCombine, moeDispatch, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomExperts, randomFlags } from '../support/experts.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

/** Tokens there and back: rows differ by expert through `scale`, so that a mixed-up row shows. */
function combineCase(tokens: number, width: number, k: number, experts: number, dropping: boolean): OpCase {
  const indices = randomExperts(tokens, k, experts);
  const kept = dropping ? randomFlags([tokens, k], 5) : undefined;
  const dispatch = moeDispatch(Tensor.zeros([tokens, width]), indices, { experts, kept });
  return {
    name: `${tokens} tokens of ${width}, ${k} of ${experts} experts${dropping ? ', some dropped' : ''}`,
    inputs: { rows: randomTensor(dispatch.rows.shape, 2), weights: randomTensor([tokens, k], 4) },
    run: ({ rows, weights }) => {
      const { device } = rows as Tensor;
      return moeCombine(rows as Tensor, weights as Tensor, { order: dispatch.order.to(device), slot: dispatch.slot.to(device) });
    },
  };
}

t.test('widths around the vector, tokens around the block', async (t) => {
  const cases: OpCase[] = [];
  for (const width of [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 260]) cases.push(combineCase(11, width, 2, 5, width % 2 === 1));
  for (const tokens of [0, 1, 2, 169, 170, 171, 500]) cases.push(combineCase(tokens, 32, 3, 4, true), combineCase(tokens, 32, 1, 9, false));
  testOp(t, cases);
});

t.test('only one of two gradients', async (t) => {
  testOp(t, [
    { ...combineCase(9, 6, 2, 3, true), wrt: ['rows'] },
    { ...combineCase(9, 6, 2, 3, true), wrt: ['weights'] },
  ]);
});

t.test('a token whose choices were all dropped is 0, whatever the rows hold', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const dispatch = moeDispatch(Tensor.zeros([2, 1]), Tensor.from(Int32Array.of(0, 1), [2, 1]), {
        experts: 2,
        kept: Tensor.from(Uint8Array.of(0, 1), [2, 1]),
      });
      const out = moeCombine(Tensor.from([Number.NaN], [1, 1]), Tensor.from([1, 1], [2, 1]), dispatch);
      t.same([...out.data], [0, Number.NaN], backend.name);
    });
  }
});

t.test('bad input is refused in words', async (t) => {
  const rows = Tensor.zeros([2, 3]);
  const weights = Tensor.zeros([2, 1]);
  const ids = (...values: number[]) => Tensor.from(Int32Array.from(values));
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      for (const wrong of [2, -2]) {
        t.throws(() => moeCombine(rows, weights, { order: ids(0, 1), slot: ids(0, wrong).alias([2, 1]) }), {
          code: 'UAM_ARGUMENT',
          message: `moe_combine_fwd: slot[1] must be from 0 to 1, or -1 (dropped), received ${wrong}`,
        });
      }
    });
  }
  t.throws(() => moeCombine(rows, weights, { order: ids(0), slot: ids(0, 1).alias([2, 1]) }), { code: 'UAM_SHAPE' });
  t.throws(() => moeCombine(rows, weights, { order: ids(0, 1), slot: ids(0, 1) }), { code: 'UAM_SHAPE' });
});
