import t from 'tap';
import { concat, permute, reshape, slice, stack, Tensor, transpose } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('permute and transpose', async (t) => {
  testOp(
    t,
    (
      [
        [
          [2, 3],
          [1, 0],
        ],
        [
          [33, 65],
          [1, 0],
        ],
        [
          [130, 67],
          [1, 0],
        ],
        [
          [2, 3, 4],
          [2, 0, 1],
        ],
        [
          [2, 3, 4, 5],
          [0, 2, 1, 3],
        ],
        [
          [2, 17, 1, 19],
          [3, 1, 0, 2],
        ],
        // more tiles than a card takes at once
        [
          [270, 260],
          [1, 0],
        ],
        // planes whose axes are not neighbours, and runs of four
        [
          [3, 40, 33],
          [2, 1, 0],
        ],
        [
          [9, 5, 34, 2],
          [2, 3, 1, 0],
        ],
        [
          [2, 3, 4, 8],
          [0, 2, 1, 3],
        ],
        [
          [0, 3],
          [1, 0],
        ],
        [[5], [0]],
      ] as [number[], number[]][]
    ).map(([shape, order], i) => ({
      name: `permute [${shape}] by [${order}]`,
      inputs: { x: randomTensor(shape, i) },
      run: ({ x }) => permute(x as Tensor, order),
    })),
  );
  const x = Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]);
  t.same([...transpose(x).data], [1, 4, 2, 5, 3, 6]);
  t.same([...permute(Tensor.from(Int32Array.of(1, 2, 3, 4), [2, 2]), [1, 0]).data], [1, 3, 2, 4]);
  t.same([...permute(Tensor.from(Uint8Array.of(1, 2, 3, 4), [2, 2]), [1, 0]).data], [1, 3, 2, 4]);
  t.throws(() => permute(x, [0, 0]), { code: 'UAM_ARGUMENT' });
  t.throws(() => transpose(Tensor.zeros([3])), { code: 'UAM_SHAPE' });
});

t.test('reshape shares memory', async (t) => {
  const x = randomTensor([2, 6], 1);
  testOp(t, [{ name: 'reshape', inputs: { x }, run: ({ x }) => reshape(x as Tensor, [3, -1]) }]);
  reshape(x, [12]).data[0] = 5;
  t.equal(x.data[0], 5);
  t.throws(() => reshape(x, [5, -1]), { code: 'UAM_SHAPE' });
  t.throws(() => reshape(x, [-1, -1]), { code: 'UAM_SHAPE' });
});

t.test('slice', async (t) => {
  testOp(
    t,
    (
      [
        [[5, 4], [1], [3]],
        [
          [5, 4],
          [0, 1],
          [5, 3],
        ],
        [
          [5, 4],
          [2, -2],
          [-1, 4],
        ],
        [
          [5, 4],
          [2, 2],
          [2, 2],
        ],
        [
          [3, 5, 7],
          [1, 0, 2],
          [3, 5, 4],
        ],
        [
          [3, 5, 16],
          [1, 0, 4],
          [3, 5, 12],
        ],
      ] as [number[], number[], number[]][]
    ).map(([shape, begin, end], i) => ({
      name: `slice [${shape}] from [${begin}] to [${end}]`,
      inputs: { x: randomTensor(shape, i) },
      run: ({ x }) => slice(x as Tensor, begin, end),
    })),
  );
  const x = randomTensor([4, 2], 1);
  slice(x, [1], [2]).data[0] = 9;
  t.equal(x.data[2], 9, 'rows share memory');
  t.throws(() => slice(x, [0], [5]), { code: 'UAM_ARGUMENT' });
  t.throws(() => slice(x, [3], [2]), { code: 'UAM_ARGUMENT' });
});

t.test('concat and stack', async (t) => {
  testOp(
    t,
    [0, 1, -1].map((axis) => ({
      name: `concat along ${axis}`,
      inputs: { a: randomTensor([2, 3], 1), b: randomTensor([2, 3], 2), c: randomTensor(axis === 0 ? [0, 3] : [2, 4], 3) },
      run: ({ a, b, c }) => concat([a, b, c] as Tensor[], axis),
    })),
  );
  testOp(t, [
    { name: 'stack', inputs: { a: randomTensor([2, 3], 1), b: randomTensor([2, 3], 2) }, run: ({ a, b }) => stack([a, b] as Tensor[], 1) },
  ]);
  t.throws(() => concat([]), { code: 'UAM_ARGUMENT' });
  t.throws(() => concat([Tensor.zeros([2, 3]), Tensor.zeros([3, 2])]), { code: 'UAM_SHAPE' });
  t.throws(() => stack([Tensor.zeros([2]), Tensor.zeros([3])]), { code: 'UAM_SHAPE' });
});
