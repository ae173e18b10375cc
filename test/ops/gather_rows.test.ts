import t from 'tap';
import { gather, scatterAdd, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
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
    // lists of a row that go on over many chunks, beside short ones and rows that nobody names
    [[2, 9, 8], 1, Array.from({ length: 700 }, (_, i) => (i % 7 === 0 ? (i * 5) % 8 : 3))],
    [[1, 5], 0, Array.from({ length: 300 }, () => 0)],
    [[3, 12], 0, Array.from({ length: 128 }, (_, i) => i % 3)],
    [[3, 12], 0, Array.from({ length: 129 }, (_, i) => i % 3)],
    // more rows than a digit of the sort, more places than a block of it
    [[70_000, 1], 0, Array.from({ length: 2500 }, (_, i) => (i * 7919) % 70_000)],
  ] as [number[], number, number[]][]) {
    const ids = Tensor.from(Int32Array.from(index));
    testOp(t, [
      {
        name: `gather [${shape}] along ${axis}`,
        inputs: { x: randomTensor(shape, 1), ids },
        run: ({ x, ids }) => gather(x as Tensor, ids as Tensor, axis),
      },
    ]);
    const at = axis < 0 ? axis + shape.length : axis;
    const source = shape.map((n, i) => (i === at ? index.length : n));
    testOp(t, [
      {
        name: `scatterAdd [${source}] along ${axis}`,
        inputs: { x: randomTensor(source, 2), ids },
        run: ({ x, ids }) => scatterAdd(x as Tensor, ids as Tensor, shape[at] as number, axis),
      },
    ]);
  }
});

t.test('an index out of range is refused and nothing is read', async (t) => {
  const x = randomTensor([3, 2], 1);
  const long = randomTensor([200, 2], 1);
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const bad of [-1, 3, 2147483647]) {
        const refused = (at: number) => ({
          code: 'UAM_ARGUMENT',
          message: new RegExp(`index\\[${at}\\] must be from 0 to 2, received ${bad}`),
        });
        t.throws(() => gather(x, Tensor.from(Int32Array.of(0, bad))), refused(1), backend.name);
        t.throws(() => scatterAdd(x, Tensor.from(Int32Array.of(0, 1, bad)), 3), refused(2), backend.name);
        const index = Int32Array.from({ length: 200 }, (_, i) => (i >= 150 ? bad : i % 3));
        t.throws(() => scatterAdd(long, Tensor.from(index), 3), refused(150), backend.name);
      }
    });
  }
  t.throws(() => gather(x, Tensor.from([0, 1])), { code: 'UAM_DTYPE' });
  t.throws(() => scatterAdd(x, Tensor.from(Int32Array.of(0)), 3), { code: 'UAM_SHAPE' });
});
