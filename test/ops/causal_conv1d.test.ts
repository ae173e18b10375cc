import t from 'tap';
import { type CausalConv1dOptions, causalConv1d, concat, slice, Tensor } from '../../src/index.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const inputs = (tokens: number, dim: number, width: number) => ({
  x: randomTensor([tokens, dim], tokens + dim, -2, 2),
  weight: randomTensor([dim, width], width),
  bias: randomTensor([dim], 3),
});

function conv(name: string, arrays: OpCase['inputs'], options: CausalConv1dOptions, rest: Partial<OpCase> = {}): OpCase {
  return { name, inputs: arrays, run: ({ x, weight, bias }) => causalConv1d(x as Tensor, weight as Tensor, { ...options, bias }), ...rest };
}

t.test('every width, length and number of channels around the vector and the group', async (t) => {
  const cases: OpCase[] = [];
  for (const width of [1, 2, 3, 4]) {
    for (const reverse of [false, true]) {
      for (const activation of ['none', 'silu'] as const) {
        for (const tokens of [1, 2, 3, 4, 5, 7, 9]) {
          cases.push(
            conv(`width ${width}, ${tokens} tokens, ${activation}, reverse ${reverse}`, inputs(tokens, 5, width), { activation, reverse }),
          );
        }
      }
    }
  }
  for (const dim of [1, 3, 4, 7, 8, 9, 15, 16, 17, 33]) cases.push(conv(`${dim} channels`, inputs(6, dim, 4), { activation: 'silu' }));
  testOp(t, cases);
});

t.test('more tokens than a block, and than the stretch kept in the cache', async (t) => {
  for (const activation of ['none', 'silu'] as const) {
    for (const reverse of [false, true]) {
      testOp(t, [
        conv(`${activation}, reverse ${reverse}`, inputs(2500, 40, 4), { activation, reverse }),
        conv(`many blocks, ${activation}, reverse ${reverse}`, inputs(9000, 3, 3), {
          activation,
          reverse,
          offsets: Int32Array.of(0, 1, 1, 4096, 4099, 8999, 9000),
        }),
      ]);
    }
  }
  testOp(t, [
    conv('wider than a stretch', inputs(9, 5000, 4), { activation: 'silu' }),
    conv('no tokens', inputs(0, 5, 4), { activation: 'silu' }),
  ]);
});

t.test('gradients asked for one by one', async (t) => {
  for (const wrt of ['x', 'weight', 'bias']) testOp(t, [conv(wrt, inputs(9, 20, 4), { activation: 'silu' }, { wrt: [wrt] })]);
});

t.test('packed sequences give what each gives alone; empty ones are nothing', async (t) => {
  const { x, weight, bias } = inputs(23, 18, 4);
  const offsets = Int32Array.of(0, 0, 1, 3, 3, 10, 23, 23);
  for (const reverse of [false, true]) {
    const options = { bias, activation: 'silu', reverse } as const;
    const alone = concat(
      Array.from({ length: 7 }, (_, s) => slice(x, [offsets[s] as number, 0], [offsets[s + 1] as number, 18])).map((part) =>
        causalConv1d(part, weight, options),
      ),
    );
    const packed = causalConv1d(x, weight, { ...options, offsets });
    t.equal(relativeError(packed.data, alone.data), 0, `reverse ${reverse}`);
    testOp(t, [conv(`gradients, reverse ${reverse}`, { x, weight, bias }, { activation: 'silu', reverse, offsets })]);
  }
  t.same(causalConv1d(x, weight, { offsets: Tensor.from(offsets) }).data, causalConv1d(x, weight, { offsets }).data);
});

t.test('NaN and infinities go through as in the definition', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const arrays = inputs(12, 9, 4);
    arrays.x.data[5 * 9 + 2] = bad;
    for (const activation of ['none', 'silu'] as const)
      testOp(t, [conv(`${activation} ${bad}`, arrays, { activation }, { skipFiniteDifferences: true })]);
  }
});

t.test('bad arguments are named', async (t) => {
  const x = Tensor.zeros([5, 3]);
  const weight = Tensor.zeros([3, 4]);
  t.throws(() => causalConv1d(Tensor.zeros([5]), weight), { code: 'UAM_SHAPE', message: /causalConv1d: x must be \[tokens, dim\]/ });
  t.throws(() => causalConv1d(x, Tensor.zeros([4, 4])), { code: 'UAM_SHAPE', message: /weight must be \[3, width\]/ });
  t.throws(() => causalConv1d(x, Tensor.zeros([3, 5])), { code: 'UAM_SHAPE', message: /width from 1 to 4/ });
  t.throws(() => causalConv1d(x, weight, { bias: Tensor.zeros([4]) }), { code: 'UAM_SHAPE', message: /bias/ });
  t.throws(() => causalConv1d(x, weight, { activation: 'relu' as 'silu' }), { code: 'UAM_ARGUMENT', message: /'none' or 'silu'/ });
  for (const offsets of [[0, 4], [1, 5], [0, 3, 2, 5], []]) {
    t.throws(() => causalConv1d(x, weight, { offsets: Int32Array.from(offsets) }), {
      code: 'UAM_ARGUMENT',
      message: /offsets must be numbers that start at 0/,
    });
  }
  t.throws(() => causalConv1d(x, weight, { offsets: Tensor.zeros([2]) }), { code: 'UAM_DTYPE' });
  t.throws(() => causalConv1d(x, weight, { seqlens: 3 } as object), { code: 'UAM_ARGUMENT', message: /unknown option 'seqlens'/ });
});
