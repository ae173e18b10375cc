import t from 'tap';
import {
  add,
  backward,
  checkpoint,
  customOp,
  dropout,
  exp,
  grad,
  mul,
  noGrad,
  reshape,
  scope,
  silu,
  square,
  sub,
  sum,
  Tensor,
} from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

const values = (tensor: Tensor | undefined) => [...(tensor as Tensor).data];

t.test('a tensor used several times gets the sum of its gradients', async (t) => {
  const x = Tensor.from([1, 2, 3]).requireGrad();
  t.same(values(grad(sum(add(mul(x, x), add(x, x))), [x])[0]), [4, 6, 8]);
  t.same(values(grad(sum(add(x, x)), [x])[0]), [2, 2, 2]);
  const y = add(x, 1);
  t.same(values(grad(sum(add(add(y, y), y)), [x])[0]), [3, 3, 3]);
});

t.test('gradients of intermediate results', async (t) => {
  const x = Tensor.from([1, 2]).requireGrad();
  const y = square(x);
  const [dx, dy] = grad(sum(square(y)), [x, y]);
  t.same(values(dy), [2, 8]);
  t.same(values(dx), [4, 32]);
  t.same(values(grad(sum(square(x)), [x, x])[1]), [2, 4], 'asked for twice');
});

t.test('backward adds to .grad of leaves', async (t) => {
  const x = Tensor.from([1, 2]).requireGrad();
  backward(sum(square(x)));
  backward(sum(x));
  t.same(values(x.grad), [3, 5]);
});

t.test('a gradient in .grad shares memory with nothing', async (t) => {
  const x = Tensor.from([1, 2]).requireGrad();
  const y = Tensor.from([3, 4]).requireGrad();
  const upstream = Tensor.from([1, 1]);
  backward(add(x, y), { upstream });
  backward(add(x, x), { upstream });
  t.same(
    [values(x.grad), values(y.grad), values(upstream)],
    [
      [3, 3],
      [1, 1],
      [1, 1],
    ],
  );
});

t.test('the graph is freed after use, unless it is kept', async (t) => {
  const x = Tensor.from([2]).requireGrad();
  const y = square(x);
  grad(y, [x], { retainGraph: true });
  t.same(values(grad(y, [x])[0]), [4]);
  t.throws(() => grad(y, [x]), { name: 'UamError', code: 'UAM_GRAPH', message: /already used and freed; pass retainGraph/ });
  t.throws(() => grad(add(y, 1), [x]), { code: 'UAM_GRAPH' });
});

t.test('what cannot be differentiated says so', async (t) => {
  const x = Tensor.from([1, 2]).requireGrad();
  t.throws(() => grad(sum(Tensor.from([1])), [x]), { code: 'UAM_GRAPH', message: /nothing to differentiate/ });
  t.throws(
    () =>
      grad(
        noGrad(() => sum(x)),
        [x],
      ),
    { code: 'UAM_GRAPH' },
  );
  t.throws(() => grad(sum(x.detach()), [x]), { code: 'UAM_GRAPH' });
  t.throws(() => grad(square(x), [x]), { code: 'UAM_SHAPE', message: /loss must be a single number/ });
  t.throws(() => grad(square(x), [x], { upstream: Tensor.from([1]) }), { code: 'UAM_SHAPE' });
  const unused = Tensor.from([1]).requireGrad();
  t.throws(() => grad(sum(x), [unused]), { code: 'UAM_GRAPH', message: /tensor 0 takes no part/ });
  t.same(values(grad(sum(x), [unused], { allowUnused: true })[0]), [0]);
  t.throws(() => Tensor.zeros([1], 'int32').requireGrad(), { code: 'UAM_DTYPE' });
  t.throws(() => square(x).requireGrad(), { code: 'UAM_GRAPH' });
});

t.test('a chain of 300,000 operations', async (t) => {
  const x = Tensor.from([1]).requireGrad();
  let y: Tensor = x;
  for (let i = 0; i < 300_000; i++) y = add(y, 0);
  t.same(values(grad(y, [x])[0]), [1]);
});

t.test('branches that lead nowhere are not computed', async (t) => {
  const x = Tensor.from([1]).requireGrad();
  const other = Tensor.from([1]).requireGrad();
  let calls = 0;
  const spy = customOp(
    'spy',
    [other],
    () => Tensor.from([1]),
    () => {
      calls++;
      return [Tensor.from([1])];
    },
  );
  grad(sum(mul(x, spy)), [x]);
  t.equal(calls, 0);
});

t.test('custom operations', async (t) => {
  const cube = (x: Tensor) =>
    customOp(
      'cube',
      [x],
      () => mul(x, square(x)),
      ([dy]) => [mul(dy as Tensor, mul(square(x), 3))],
    );
  testOp(t, [{ name: 'cube', inputs: { x: randomTensor([5], 1) }, run: ({ x }) => cube(x as Tensor) }]);
  const wrong = (x: Tensor) =>
    customOp(
      'wrong',
      [x],
      () => square(x),
      () => [Tensor.zeros([7])],
    );
  t.throws(() => grad(sum(wrong(Tensor.from([1]).requireGrad())), [Tensor.from([1]).requireGrad()]), { code: 'UAM_GRAPH' });
  const x = Tensor.from([1]).requireGrad();
  t.throws(() => grad(sum(wrong(x)), [x]), { code: 'UAM_SHAPE', message: /wrong: gradient of input 0 must be \[1\], received \[7\]/ });
  const handsOut = Tensor.from([5]);
  const keeps = customOp(
    'keeps',
    [x],
    () => Tensor.from([1]),
    () => [handsOut],
  );
  grad(add(keeps, keeps), [x]);
  t.same(values(handsOut), [5], 'a tensor that backward hands out is neither changed nor disposed of');
  const same = customOp(
    'identity',
    [x],
    () => x,
    ([dy]) => [dy],
  );
  t.not(same, x);
  t.same(values(grad(same, [x])[0]), [1]);
});

t.test('a checkpointed block has the same gradients, also for what it reads from outside', async (t) => {
  const run = (wrap: boolean) => (inputs: Record<string, Tensor>) => {
    const { x, w } = inputs as { x: Tensor; w: Tensor };
    const block = (h: Tensor) => dropout(silu(mul(h, w)), 0.3, { seed: 1, step: 1 });
    const inner = (h: Tensor) => (wrap ? checkpoint(block, [h]) : block(h));
    const nested = (h: Tensor) => inner(inner(h));
    return add(wrap ? checkpoint(nested, [exp(x)]) : nested(exp(x)), x);
  };
  const inputs = { x: randomTensor([40], 1), w: randomTensor([40], 2) };
  testOp(t, [{ name: 'checkpointed', inputs, run: run(true) }]);
  const gradients = [true, false].map((wrap) => {
    const x = inputs.x.clone().requireGrad();
    const w = inputs.w.clone().requireGrad();
    return grad(sum(run(wrap)({ x, w })), [x, w]).map(values);
  });
  t.same(gradients[0], gradients[1]);
  const x = Tensor.from([1]).requireGrad();
  t.same(values(grad(sum(checkpoint((h) => h, [square(x)])), [x])[0]), [2], 'a block that hands its input through');
  const [a, b] = checkpoint((h) => [square(h), reshape(h, [1, 1])] as const, [x]);
  t.same(values(grad(add(a, reshape(b, [1])), [x])[0]), [3], 'several outputs');
});

t.test('a training loop in a scope converges and leaves nothing behind', async (t) => {
  const target = randomTensor([50], 3);
  const weight = Tensor.zeros([50]).requireGrad();
  let loss = 0;
  for (let step = 0; step < 100; step++) {
    loss = scope(() => {
      const error = sum(square(sub(weight, target)));
      backward(error);
      const gradient = (weight.grad as Tensor).data;
      for (let i = 0; i < gradient.length; i++) (weight.data[i] as number) -= 0.1 * (gradient[i] as number);
      weight.grad?.dispose();
      weight.grad = undefined;
      return error.item();
    });
  }
  t.ok(loss < 1e-8, `loss ${loss}`);
});
