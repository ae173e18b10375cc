import t from 'tap';
import { crossEntropy, grad, type Reduction, Tensor, type UamError } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomTensor, uniform } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

/** Classes for `rows` rows, one row in five ignored. */
function targets(rows: number, classes: number, seed: number): Tensor {
  const next = uniform(seed);
  return Tensor.from(Int32Array.from({ length: rows }, () => (next() < 0.2 ? -100 : Math.floor(next() * classes))));
}

function lossCase(rows: number, classes: number, reduction: Reduction, labelSmoothing: number, weighted: boolean): OpCase {
  const inputs = {
    logits: randomTensor([rows, classes], rows + classes, -4, 4),
    target: targets(rows, classes, rows),
    ...(weighted && { classWeight: randomTensor([classes], classes, 0.2, 2) }),
  };
  return {
    name: `${rows} rows, ${classes} classes, ${reduction}, smoothing ${labelSmoothing}${weighted ? ', weighted' : ''}`,
    inputs,
    wrt: ['logits'],
    run: ({ logits, target, classWeight }) => crossEntropy(logits as Tensor, target as Tensor, { classWeight, reduction, labelSmoothing }),
  };
}

t.test('every number of classes and rows around the vector, and rows around the block', async (t) => {
  const cases: OpCase[] = [];
  for (let classes = 1; classes <= 17; classes++) cases.push(lossCase(19, classes, 'mean', 0, false));
  for (const classes of [32, 33, 64, 65, 128, 129, 300]) cases.push(lossCase(9, classes, 'mean', 0.1, classes % 2 === 1));
  for (const rows of [0, 1, 2, 7, 8, 15, 16, 17, 31, 33]) cases.push(lossCase(rows, 5, 'none', 0.1, true));
  for (const rows of [3280, 3281, 3296, 3297]) cases.push(lossCase(rows, 5, 'sum', 0.2, true));
  testOp(t, cases);
});

t.test('reductions, smoothing and weights together', async (t) => {
  const cases: OpCase[] = [];
  for (const reduction of ['none', 'mean', 'sum'] as const)
    for (const smoothing of [0, 0.1, 1]) for (const weighted of [false, true]) cases.push(lossCase(21, 6, reduction, smoothing, weighted));
  testOp(t, cases);
});

t.test('leading axes are rows', async (t) => {
  const logits = randomTensor([2, 3, 4], 1);
  const target = Tensor.from(Int32Array.of(0, 1, 2, 3, 0, 1), [2, 3]);
  t.same(crossEntropy(logits, target, { reduction: 'none' }).shape, [2, 3]);
  t.same(crossEntropy(logits, target).shape, []);
});

t.test('all targets ignored: loss 0 and zero gradients, on every backend', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const reduction of ['mean', 'sum'] as const) {
        const logits = Tensor.from([1, 2, Number.NaN, 4], [2, 2]).requireGrad();
        const loss = crossEntropy(logits, Tensor.from(Int32Array.of(7, 7)), { ignoreIndex: 7, reduction });
        t.equal(loss.item(), 0, `${backend.name} ${reduction}`);
        t.same([...(grad(loss, [logits])[0] as Tensor).data], [0, 0, 0, 0]);
      }
    });
  }
});

t.test('large, infinite and NaN logits go through as in the definition', async (t) => {
  const logits = Tensor.from(
    [1e4, 0, -1e4, -Infinity, 0, 1, Infinity, 0, 1, Number.NaN, 0, 1, -Infinity, -Infinity, -Infinity, 88, 100, 104],
    [6, 3],
  );
  const target = Tensor.from(Int32Array.of(1, 1, 1, 1, 1, 0));
  testOp(t, [
    {
      name: 'extreme logits',
      inputs: { logits, target },
      wrt: ['logits'],
      run: (inputs) => crossEntropy(inputs.logits as Tensor, inputs.target as Tensor, { reduction: 'none' }),
      skipFiniteDifferences: true,
    },
  ]);
});

t.test('bad input is refused in words', async (t) => {
  const logits = Tensor.zeros([3, 4]);
  const target = (...classes: number[]) => Tensor.from(Int32Array.from(classes));
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const wrong of [4, -1, 2147483647, -2147483648]) {
        t.throws(() => crossEntropy(logits, target(0, wrong, 1)), {
          code: 'UAM_ARGUMENT',
          message: `cross_entropy_fwd: target[1] must be from 0 to 3, or ignoreIndex, received ${wrong}`,
        });
      }
    });
  }
  const code = (expected: UamError['code']) => ({ name: 'UamError', code: expected });
  t.throws(() => crossEntropy(logits, target(0, 1)), code('UAM_SHAPE'));
  t.throws(() => crossEntropy(logits, Tensor.zeros([3])), code('UAM_DTYPE'));
  t.throws(() => crossEntropy(Tensor.zeros([3, 0]), target(0, 1, 2)), code('UAM_SHAPE'));
  t.throws(() => crossEntropy(logits, target(0, 1, 2), { classWeight: Tensor.zeros([3]) }), code('UAM_SHAPE'));
  t.throws(() => crossEntropy(logits, target(0, 1, 2), { labelSmoothing: 1.5 }), code('UAM_ARGUMENT'));
  t.throws(() => crossEntropy(logits, target(0, 1, 2), { reduction: 'average' as Reduction }), code('UAM_ARGUMENT'));
  t.throws(() => crossEntropy(logits, target(0, 1, 2), { smoothing: 0.1 } as object), /unknown option 'smoothing'/);
});
