import t from 'tap';
import { grad, layerNorm, noGrad, Tensor } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const run: OpCase['run'] = ({ x, weight, bias }) => layerNorm(x as Tensor, { weight, bias });

const affine = (rows: number, width: number) => ({
  x: randomTensor([rows, width], width + 1, -2, 2),
  weight: randomTensor([width], 2),
  bias: randomTensor([width], 3),
});

t.test('every width around the vector, and rows around the block', async (t) => {
  const widths = [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257];
  testOp(t, [
    // of two numbers, the normalised ones are +-1 whatever they were: the gradient is what cancellation leaves
    ...widths.map((width): OpCase => ({ name: `width ${width}`, inputs: affine(3, width), run, gradTolerance: width === 2 ? 1e-2 : 5e-6 })),
    { name: 'one row longer than a chunk of the sums', inputs: affine(1, 4099), run },
    ...[1, 31, 32, 33, 1023, 1024, 1025].map((rows): OpCase => ({ name: `${rows} rows`, inputs: affine(rows, 16), run })),
    // a card's teams of threads: a warp with several fours each, a block, a block that reads again
    ...[130, 300, 512, 600, 1028, 1501, 4100].map((width): OpCase => ({ name: `wide ${width}`, inputs: affine(2, width), run })),
    { name: 'no rows', inputs: affine(0, 5), run },
    { name: 'no weight, no bias', inputs: { x: randomTensor([2, 3, 19], 4) }, run },
    { name: 'gradient of weight only', inputs: affine(5, 20), wrt: ['weight'], run },
    { name: 'gradient of x only', inputs: affine(5, 20), wrt: ['x'], run },
  ]);
});

t.test('more rows than a card takes at once', { skip: !hasCuda() && 'there is no card' }, async (t) => {
  const gradients = (backend: 'cpu' | 'cuda') =>
    onBackend({ name: backend, backend }, 1, () => {
      const inputs: Record<string, Tensor> = affine(514, 516);
      const list = ['x', 'weight', 'bias'].map((name) => (inputs[name] as Tensor).requireGrad());
      const result = run(inputs);
      const out = result instanceof Tensor ? result : (result.out as Tensor);
      return grad(out, list, { upstream: randomTensor([514, 516], 9) }).map((gradient) => gradient.data.slice());
    });
  const expected = gradients('cpu');
  gradients('cuda').forEach((gradient, i) => {
    t.ok(relativeError(gradient, expected[i] as Float32Array) < 5e-6);
  });
});

t.test('width 1 gives the bias, and no gradient reaches x', async (t) => {
  testOp(t, [{ name: 'width 1', inputs: affine(7, 1), run, skipFiniteDifferences: true }]);
});

t.test('a mean far larger than the spread, and rows whose sums overflow float32', async (t) => {
  const spread = randomTensor([4, 100], 5).data;
  const shifted = Float32Array.from(spread, (v) => 30000 + v);
  const huge = Float32Array.from(spread, (v) => 3e38 * v);
  for (const [name, data, tolerance] of [
    ['large mean', shifted, 2e-6],
    ['huge', huge, 2e-6],
  ] as const) {
    const expected = onBackend({ name: 'oracle', backend: 'reference' }, 1, () =>
      layerNorm(Tensor.from(Float64Array.from(data), [4, 100])).data.slice(),
    );
    for (const backend of testBackends()) {
      const actual = onBackend(backend, 1, () => noGrad(() => layerNorm(Tensor.from(data, [4, 100]))).data);
      t.ok(relativeError(actual, expected) < tolerance, `${name} on ${backend.name}`);
    }
  }
});

t.test('the gradient of a row with a large mean', async (t) => {
  const data = Float32Array.from(randomTensor([4, 100], 6).data, (v) => 20000 + v);
  testOp(t, [
    { name: 'large mean', inputs: { x: Tensor.from(data, [4, 100]), weight: randomTensor([100], 7) }, run, skipFiniteDifferences: true },
  ]);
});

t.test('NaN and infinities stay in their row', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const inputs = { x: randomTensor([3, 20], 8) };
    inputs.x.data[25] = bad;
    testOp(t, [{ name: `${bad}`, inputs, run, skipFiniteDifferences: true }]);
  }
});

t.test('bad arguments are named', async (t) => {
  const x = Tensor.zeros([2, 3]);
  t.throws(() => layerNorm(x, { weight: Tensor.zeros([4]) }), {
    code: 'UAM_SHAPE',
    message: /layerNorm: weight must be \[3\], received \[4\]/,
  });
  t.throws(() => layerNorm(x, { bias: Tensor.zeros([3, 1]) }), { code: 'UAM_SHAPE', message: /bias/ });
  t.throws(() => layerNorm(Tensor.from(1, [])), { code: 'UAM_SHAPE' });
  t.throws(() => layerNorm(x, { eps: -1 }), { code: 'UAM_ARGUMENT', message: /eps/ });
  t.throws(() => layerNorm(x, { epsilon: 1 } as object), { code: 'UAM_ARGUMENT', message: /unknown option 'epsilon'/ });
  t.throws(() => layerNorm(x, { weight: Tensor.zeros([3], 'float64') }), { code: 'UAM_DTYPE' });
});
