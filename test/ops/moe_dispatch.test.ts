import t from 'tap';
import { moeDispatch, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomExperts, randomFlags } from '../support/experts.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function dispatchCase(tokens: number, width: number, k: number, experts: number, dropping: boolean): OpCase {
  return {
    name: `${tokens} tokens of ${width}, ${k} of ${experts} experts${dropping ? ', some dropped' : ''}`,
    inputs: {
      x: randomTensor([tokens, width], 1),
      indices: randomExperts(tokens, k, experts),
      ...(dropping && { kept: randomFlags([tokens, k], 3) }),
    },
    run: ({ x, indices, kept }) => ({ ...moeDispatch(x as Tensor, indices as Tensor, { experts, kept }) }),
    upstream: ['rows'],
  };
}

t.test('widths around the vector, tokens around the block', async (t) => {
  const cases: OpCase[] = [];
  for (const width of [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33]) cases.push(dispatchCase(11, width, 2, 5, width % 2 === 1));
  for (const tokens of [0, 1, 2, 240, 241, 500]) cases.push(dispatchCase(tokens, 32, 3, 4, true), dispatchCase(tokens, 32, 1, 9, false));
  testOp(t, cases);
});

t.test('rows are sorted by expert, stably; experts without tokens own none', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const x = Tensor.from([10, 20, 30], [3, 1]);
      const indices = Tensor.from(Int32Array.of(3, 0, 0, 3, 3, 1), [3, 2]);
      const { rows, offsets, order, slot } = moeDispatch(x, indices, {
        experts: 5,
        kept: Tensor.from(Uint8Array.of(1, 1, 1, 1, 0, 1), [3, 2]),
      });
      t.same([...offsets.data], [0, 2, 3, 3, 5, 5], backend.name);
      t.same([...order.data], [1, 2, 5, 0, 3]);
      t.same([...slot.data], [3, 0, 1, 4, -1, 2]);
      t.same([...rows.data], [10, 20, 30, 10, 20]);
    });
  }
});

t.test('bad input is refused in words', async (t) => {
  const x = Tensor.zeros([2, 3]);
  const indices = (...values: number[]) => Tensor.from(Int32Array.from(values), [2, values.length / 2]);
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      for (const wrong of [4, -1]) {
        t.throws(() => moeDispatch(x, indices(0, 1, wrong, 2), { experts: 4 }), {
          code: 'UAM_ARGUMENT',
          message: `moe_dispatch_fwd: indices[2] must be from 0 to 3, received ${wrong}`,
        });
      }
    });
  }
  t.throws(() => moeDispatch(x, indices(0, 1), { experts: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => moeDispatch(x, Tensor.zeros([2, 0], 'int32'), { experts: 2 }), { code: 'UAM_SHAPE' });
  t.throws(() => moeDispatch(x, indices(0, 1), { experts: 2, kept: Tensor.zeros([2, 2], 'uint8') }), { code: 'UAM_SHAPE' });
  t.throws(() => moeDispatch(Tensor.zeros([3, 3]), indices(0, 1), { experts: 2 }), { code: 'UAM_SHAPE' });
});
