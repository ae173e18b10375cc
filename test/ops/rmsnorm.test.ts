import t from 'tap';
import { addRmsNorm, grad, rmsNorm, Tensor } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { onBackend } from '../support/backends.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

const run: OpCase['run'] = ({ x, weight, z }) => rmsNorm(x as Tensor, { weight, z });
const runResidual: OpCase['run'] = ({ x, residual, weight, z }) => addRmsNorm(x as Tensor, residual as Tensor, { weight, z, eps: 1e-6 });

const weighted = (rows: number, width: number) => ({ x: randomTensor([rows, width], width + 1, -2, 2), weight: randomTensor([width], 2) });
const everything = (rows: number, width: number) => ({
  ...weighted(rows, width),
  residual: randomTensor([rows, width], 3),
  z: randomTensor([rows, width], 4, -4, 4),
});

t.test('every width around the vector, and rows around the block', async (t) => {
  const widths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257];
  testOp(t, [
    // one number comes out as its sign: its gradient is what cancellation leaves
    ...widths.map(
      (width): OpCase => ({ name: `width ${width}`, inputs: weighted(3, width), run, gradTolerance: width === 1 ? 1e-2 : 5e-6 }),
    ),
    ...widths
      .slice(1)
      .map((width): OpCase => ({ name: `residual and gate, width ${width}`, inputs: everything(3, width), run: runResidual })),
    { name: 'one row longer than a chunk of the sums', inputs: everything(1, 4099), run: runResidual },
    ...[1, 31, 32, 33, 1023, 1024, 1025].map((rows): OpCase => ({ name: `${rows} rows`, inputs: everything(rows, 16), run: runResidual })),
    // a card's teams of threads: a warp with several fours each, a block, a block that reads again
    ...[130, 300, 512, 600, 1028, 1501, 4100].map(
      (width): OpCase => ({ name: `wide ${width}`, inputs: everything(2, width), run: runResidual }),
    ),
    { name: 'no rows', inputs: everything(0, 5), run: runResidual },
    { name: 'x alone', inputs: { x: randomTensor([2, 3, 19], 4) }, run },
    { name: 'gate alone', inputs: { x: randomTensor([5, 19], 4), z: randomTensor([5, 19], 5) }, run },
    { name: 'gradient of weight only', inputs: everything(5, 20), wrt: ['weight'], run: runResidual },
    { name: 'gradient of z only', inputs: everything(5, 20), wrt: ['z'], run: runResidual },
    { name: 'gradient of the residual only', inputs: everything(5, 20), wrt: ['residual'], run: runResidual },
    { name: 'only the sum flows back', inputs: everything(5, 20), upstream: ['sum'], run: runResidual },
    { name: 'only the norm flows back', inputs: everything(5, 20), upstream: ['out'], run: runResidual },
  ]);
});

t.test('more rows than a card takes at once', { skip: !hasCuda() && 'there is no card' }, async (t) => {
  const gradients = (backend: 'cpu' | 'cuda') =>
    onBackend({ name: backend, backend }, 1, () => {
      const inputs: Record<string, Tensor> = everything(514, 516);
      const list = ['x', 'weight', 'z'].map((name) => (inputs[name] as Tensor).requireGrad());
      const result = runResidual(inputs);
      const out = result instanceof Tensor ? result : (result.out as Tensor);
      return grad(out, list, { upstream: randomTensor([514, 516], 9) }).map((gradient) => gradient.data.slice());
    });
  const expected = gradients('cpu');
  gradients('cuda').forEach((gradient, i) => {
    t.ok(relativeError(gradient, expected[i] as Float32Array) < 5e-6);
  });
});

t.test('values whose squares overflow or vanish in float32', async (t) => {
  for (const scale of [1e25, 1e-25]) {
    const x = Tensor.from(
      Float32Array.from(randomTensor([3, 40], 6).data, (v) => v * scale),
      [3, 40],
    );
    testOp(t, [{ name: `${scale}`, inputs: { x }, run: ({ x }) => rmsNorm(x as Tensor, { eps: 0 }), wrt: [] }]);
  }
});

t.test('NaN and infinities go through as in the definition', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const name of ['x', 'z', 'residual'] as const) {
      const inputs = everything(3, 20);
      inputs[name].data[25] = bad;
      testOp(t, [{ name: `${name} ${bad}`, inputs, run: runResidual, skipFiniteDifferences: true }]);
    }
  }
});

t.test('bad arguments are named', async (t) => {
  const x = Tensor.zeros([2, 3]);
  t.throws(() => rmsNorm(x, { weight: Tensor.zeros([2]) }), {
    code: 'UAM_SHAPE',
    message: /rmsNorm: weight must be \[3\], received \[2\]/,
  });
  t.throws(() => rmsNorm(x, { z: Tensor.zeros([3]) }), { code: 'UAM_SHAPE', message: /z must be \[2, 3\]/ });
  t.throws(() => addRmsNorm(x, Tensor.zeros([3, 2])), { code: 'UAM_SHAPE', message: /addRmsNorm: residual/ });
  t.throws(() => addRmsNorm(x, undefined as unknown as Tensor), { code: 'UAM_ARGUMENT', message: /residual/ });
  t.throws(() => rmsNorm(x, { eps: Number.NaN }), { code: 'UAM_ARGUMENT' });
  t.throws(() => rmsNorm(x, { gate: x } as object), { code: 'UAM_ARGUMENT', message: /unknown option 'gate'/ });
});
