import t from 'tap';
import { conv2d, groupNorm, noGrad, Tensor } from '../../src/index.js';
import { Conv2d } from '../../src/nn/conv.js';
import { Initializer } from '../../src/nn/initializer.js';
import { ListedAttention } from '../../src/nn/listed_attention.js';
import { GroupNorm } from '../../src/nn/norm.js';
import { mul } from '../../src/ops/binary.js';
import { sum } from '../../src/ops/reduce.js';
import { checkGradients } from '../support/directional.js';
import { doubled, moved } from '../support/models.js';
import { randomTensor } from '../support/random.js';

t.test('Conv2d and GroupNorm are their ops with parameters', async (t) => {
  const x = randomTensor([2, 5, 7, 6], 1);
  const conv = moved(new Conv2d({ inputs: 6, outputs: 4, kernel: 3, stride: 2, padding: 1, groups: 2 }, new Initializer(1)));
  const { weight, bias } = Object.fromEntries(conv.namedParameters()) as Record<string, Tensor>;
  t.same(weight?.shape, [4, 3, 3, 3]);
  const y = conv.forward(x);
  t.same(y.shape, [2, 3, 4, 4]);
  t.same(y.data, conv2d(x, weight as Tensor, { bias, stride: 2, padding: 1, groups: 2 }).data);
  t.same(new Conv2d({ inputs: 6, outputs: 4, kernel: 1, bias: false }, new Initializer(1)).namedParameters().length, 1);
  t.same(conv.decays(), [true, false]);
  const norm = moved(new GroupNorm(6, 3, new Initializer(1)));
  const own = Object.fromEntries(norm.namedParameters()) as Record<string, Tensor>;
  t.same(norm.forward(x).data, groupNorm(x, 3, { weight: own['weight'], bias: own['bias'] }).data);
});

t.test('the start keeps the variance of what goes in', async (t) => {
  const conv = new Conv2d({ inputs: 64, outputs: 64, kernel: 3, padding: 1 }, new Initializer(3));
  const variance = (x: Tensor) => (x.data as Float32Array).reduce((total, value) => total + value ** 2, 0) / x.size;
  const x = randomTensor([1, 32, 32, 64], 2);
  const ratio = noGrad(() => variance(conv.forward(x)) / variance(x));
  t.ok(ratio > 0.7 && ratio < 1.3, String(ratio));
});

t.test('ListedAttention: lists as softmax over keys, empty lists as 0, gradients', async (t) => {
  const layer = moved(new ListedAttention(4, 2, new Initializer(1))).cast('float64');
  const query = doubled(randomTensor([3, 4], 5)).requireGrad();
  const context = doubled(randomTensor([6, 4], 6)).requireGrad();
  const lists = { offsets: Int32Array.of(0, 2, 2, 5), indices: Int32Array.of(5, 0, 1, 3, 4) };
  const named = Object.fromEntries(layer.namedParameters());
  const times = (x: Tensor, name: string) =>
    Array.from({ length: x.shape[0] as number }, (_, i) =>
      Array.from({ length: 4 }, (_, j) =>
        [0, 1, 2, 3].reduce((total, k) => total + (x.data[4 * i + k] as number) * ((named[name] as Tensor).data[4 * k + j] as number), 0),
      ),
    );
  const [q, k, v] = [times(query, 'q_proj'), times(context, 'k_proj'), times(context, 'v_proj')];
  const seen = q.map((row, i) => {
    const keys = [...lists.indices.subarray(lists.offsets[i], lists.offsets[i + 1])];
    return [0, 0, 2, 2].map((head, j) => {
      const weights = keys.map((key) =>
        Math.exp(
          ((row[head] as number) * (k[key]?.[head] as number) + (row[head + 1] as number) * (k[key]?.[head + 1] as number)) / Math.SQRT2,
        ),
      );
      const total = weights.reduce((a, b) => a + b, 0);
      return keys.reduce((result, key, n) => result + ((weights[n] as number) / total) * (v[key]?.[j] as number), 0);
    });
  });
  const expected = times(Tensor.from(Float64Array.from(seen.flat()), [3, 4]), 'o_proj').flat();
  const out = noGrad(() => layer.forward(query, context, lists));
  t.ok(expected.every((value, i) => Math.abs(value - (out.data[i] as number)) < 1e-12));
  t.same([...out.data.subarray(4, 8)], [0, 0, 0, 0]);
  const g = doubled(randomTensor([3, 4], 8));
  checkGradients(t, [['query', query], ['context', context], ...layer.namedParameters()], () =>
    sum(mul(layer.forward(query, context, lists), g)),
  );
  t.throws(() => new ListedAttention(5, 2, new Initializer(1)), { code: 'UAM_ARGUMENT' });
});
