import t from 'tap';
import { backward, memory, mul, noGrad, sum, Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import { Linear } from '../../src/nn/linear.js';
import { Module } from '../../src/nn/module.js';
import { LayerNorm, RmsNorm } from '../../src/nn/norm.js';
import { split } from '../../src/nn/split.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';

class Pair extends Module {
  readonly first: Linear;
  readonly second: Linear;

  constructor(start: Initializer) {
    super();
    this.first = this.child('first', new Linear(3, 4, start));
    this.parameter('scale', start.constant([4], 1));
    this.second = this.child('', new Linear(4, 2, start, { bias: false }));
  }

  forward(x: Tensor): Tensor {
    return this.second.forward(mul(this.first.forward(x), this.get('scale')));
  }

  again(): void {
    this.parameter('weight', Tensor.zeros([1]));
  }
}

t.test('names, order, decay, count', async (t) => {
  const pair = new Pair(new Initializer(1));
  t.same(
    pair.namedParameters().map(([name]) => name),
    ['first.weight', 'first.bias', 'scale', 'weight'],
  );
  t.same(
    pair.parameters(),
    pair.namedParameters().map(([, tensor]) => tensor),
  );
  t.same(pair.decays(), [true, false, false, true]);
  t.equal(pair.parameterCount, 12 + 4 + 4 + 8);
  t.throws(() => pair.again(), { code: 'UAM_ARGUMENT', message: /two parameters are called 'weight'/ });
  t.throws(() => pair.replace('second.weight', Tensor.zeros([4, 2])), { code: 'UAM_ARGUMENT' });
  t.throws(() => pair.replace('scale', Tensor.zeros([5])), { code: 'UAM_SHAPE' });
  const before = pair.replace('scale', Tensor.from([1, 2, 3, 4]));
  t.same([...before.data], [1, 1, 1, 1]);
  t.equal(pair.parameters()[2]?.data[3], 4);
});

t.test('the same seed gives the same start; another, another', async (t) => {
  const values = (seed: number) => new Pair(new Initializer(seed)).parameters().map(({ data }) => [...data]);
  t.same(values(5), values(5));
  t.notSame(values(5), values(6));
  const start = new Initializer(2);
  t.notSame([...start.normal([8], 1).data], [...start.normal([8], 1).data], 'every draw has its own stream');
  const wide = start.matrix([400, 50]).data as Float32Array;
  const variance = wide.reduce((sum, value) => sum + value * value, 0) / wide.length;
  t.ok(Math.abs(variance * 400 - 1) < 0.05, `variance ${variance}`);
  t.throws(() => new Initializer(-1), { code: 'UAM_ARGUMENT' });
});

t.test('modes reach every part', async (t) => {
  const pair = new Pair(new Initializer(1));
  t.notOk(pair.training);
  t.ok(pair.train().first.training);
  t.ok(pair.second.training);
  t.notOk(pair.eval().second.training);
});

t.test('values are loaded all or not at all', async (t) => {
  const [a, b] = [new Pair(new Initializer(1)), new Pair(new Initializer(2))];
  const values = new Map<string, Tensor>(b.namedParameters());
  const x = randomTensor([5, 3], 1);
  a.load(values);
  t.same([...noGrad(() => a.forward(x)).data], [...noGrad(() => b.forward(x)).data]);
  const lacking = new Map(values);
  lacking.delete('scale');
  t.throws(() => a.load(lacking), { code: 'UAM_SHAPE', message: /lack scale/ });
  t.throws(() => a.load(new Map([...values, ['other', Tensor.zeros([1])]])), { code: 'UAM_SHAPE', message: /also hold other/ });
  const kept = [...(a.parameters()[0] as Tensor).data];
  const wrong = new Map([...new Pair(new Initializer(3)).namedParameters(), ['scale', Tensor.zeros([5])] as [string, Tensor]]);
  t.throws(() => a.load(wrong), { code: 'UAM_SHAPE', message: /scale must be \[4\], received \[5\]/ });
  t.same([...(a.parameters()[0] as Tensor).data], kept, 'nothing was changed');
});

t.test('gradients, float64, and giving memory back', async (t) => {
  const before = memory.stats().liveBytes;
  const large = new Linear(64, 64, new Initializer(1));
  const x = Tensor.full([2, 64], 1);
  backward(sum(large.forward(x)));
  t.ok(large.parameters().every(({ grad }) => grad));
  large.zeroGrad();
  t.ok(large.parameters().every(({ grad }) => grad === undefined));
  t.equal(large.dtype, 'float32');
  t.equal(large.cast('float64').dtype, 'float64');
  t.equal(large.forward(Tensor.from(new Float64Array(64), [1, 64])).dtype, 'float64');
  large.cast('float32').dispose();
  t.ok(large.parameters().every(({ disposed }) => disposed));
  t.ok(memory.stats().liveBytes - before < 1e5);
});

t.test('norms and split', async (t) => {
  const x = randomTensor([3, 8], 1);
  const rms = noGrad(() => new RmsNorm(8, new Initializer(1)).forward(x).data);
  const layer = noGrad(() => new LayerNorm(8, new Initializer(1)).forward(x).data);
  const square = (data: ArrayLike<number>) => Array.from(data).reduce((sum, value) => sum + value ** 2, 0);
  t.ok(Math.abs(square(rms) / 24 - 1) < 1e-3);
  t.ok(Math.abs(square(layer) / 24 - 1) < 1e-3);
  const leaf = randomTensor([2, 3, 6], 2).requireGrad();
  const [a, b] = split(leaf, [2, 4]) as [Tensor, Tensor];
  t.same(
    [a.shape, b.shape],
    [
      [2, 3, 2],
      [2, 3, 4],
    ],
  );
  backward(sum(mul(b, b)));
  const expected = Array.from(leaf.data, (value, i) => (i % 6 < 2 ? 0 : 2 * value));
  t.ok(relativeError((leaf.grad as Tensor).data, expected) < 1e-6, 'a part that nobody used has gradient 0');
});
