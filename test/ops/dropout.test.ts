import t from 'tap';
import { backward, dropout, sum, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('dropout', async (t) => {
  testOp(
    t,
    [0, 1, 15, 64, 65, 130, 9000].flatMap((n) =>
      [0, 0.1, 0.9].map((rate) => ({
        name: `n = ${n}, rate ${rate}`,
        inputs: { x: randomTensor([n], n + 1) },
        run: ({ x }: Record<string, Tensor>) => dropout(x as Tensor, rate, { seed: 1, step: 2, stream: 3 }),
      })),
    ),
  );
  const x = Tensor.full([100_000], 1).requireGrad();
  const y = dropout(x, 0.25, { seed: 9, step: 9 });
  const kept = Array.from(y.data).filter((value) => value !== 0).length / x.size;
  t.ok(Math.abs(kept - 0.75) < 0.01, `kept ${kept}`);
  backward(sum(y));
  t.same(x.grad?.data, y.data, 'the gradient has the same mask');
  t.throws(() => dropout(x, 1, { seed: 1, step: 1 }), { code: 'UAM_ARGUMENT', message: /rate must be in \[0, 1\)/ });
});
