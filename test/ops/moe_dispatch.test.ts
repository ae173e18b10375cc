import t from 'tap';
import { callKernel, moeDispatch, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomExperts, randomFlags } from '../support/experts.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

function dispatchCase(tokens: number, width: number, k: number, experts: number, dropping: boolean): OpCase {
  const kept = dropping ? randomFlags([tokens, k], 3) : undefined; // counted on the CPU, wherever x lives
  return {
    name: `${tokens} tokens of ${width}, ${k} of ${experts} experts${dropping ? ', some dropped' : ''}`,
    inputs: {
      x: randomTensor([tokens, width], 1),
      indices: randomExperts(tokens, k, experts),
    },
    run: ({ x, indices }) => ({ ...moeDispatch(x as Tensor, indices as Tensor, { experts, kept }) }),
    upstream: ['rows'],
  };
}

t.test('widths around the vector, tokens around the block', async (t) => {
  const cases: OpCase[] = [];
  for (const width of [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 260]) cases.push(dispatchCase(11, width, 2, 5, width % 2 === 1));
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

t.test('few and many experts, few and many tokens: the order is that of a stable sort', async (t) => {
  for (const [tokens, k, experts] of [
    [3, 1, 5000],
    [700, 2, 5000],
    [9000, 2, 64],
    [9000, 1, 1],
  ] as const) {
    const indices = randomExperts(tokens, k, experts);
    const kept = randomFlags([tokens, k], 7);
    const choices = Array.from({ length: tokens * k }, (_, choice) => choice).filter((choice) => kept.data[choice] !== 0);
    const expected = choices.sort((a, b) => (indices.data[a] as number) - (indices.data[b] as number) || a - b);
    for (const backend of testBackends().slice(1)) {
      onBackend(backend, 2, () => {
        const { rows, offsets, order, slot } = moeDispatch(randomTensor([tokens, 1], 3), indices, { experts, kept });
        t.same(order.data, Int32Array.from(expected), `${backend.name}: ${tokens} tokens, ${experts} experts`);
        t.ok(expected.every((choice, row) => slot.data[choice] === row));
        t.equal(slot.data.filter((row) => row === -1).length, tokens * k - expected.length);
        const below = new Int32Array(experts + 1);
        for (const choice of expected) (below[(indices.data[choice] as number) + 1] as number)++;
        for (let e = 0; e < experts; e++) (below[e + 1] as number) += below[e] as number;
        t.same(offsets.data, below);
        t.equal(rows.shape[0], expected.length);
      });
    }
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
  for (const backend of testBackends().slice(1)) {
    onBackend(backend, 1, () => {
      const outputs = { rows: new Float32Array(3), offsets: new Int32Array(3), order: new Int32Array(3), slot: new Int32Array(2) };
      const shape = { tokens: 2, width: 1, experts: 2, k: 1, slots: 3 };
      t.throws(() => callKernel('moe_dispatch_fwd', { ...shape, ...outputs, x: new Float32Array(2), indices: new Int32Array(2) }), {
        code: 'UAM_SHAPE',
        message: 'moe_dispatch_fwd: slots must be the number of kept choices (2), received 3',
      });
    });
  }
  t.throws(() => moeDispatch(x, indices(0, 1), { experts: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => moeDispatch(x, Tensor.zeros([2, 0], 'int32'), { experts: 2 }), { code: 'UAM_SHAPE' });
  t.throws(() => moeDispatch(x, indices(0, 1), { experts: 2, kept: Tensor.zeros([2, 2], 'uint8') }), { code: 'UAM_SHAPE' });
  t.throws(() => moeDispatch(Tensor.zeros([3, 3]), indices(0, 1), { experts: 2 }), { code: 'UAM_SHAPE' });
});
