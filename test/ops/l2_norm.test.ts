import t from 'tap';
import { l2Norm, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomTensor } from '../support/random.js';

t.test('lengths around the lanes and the block, the same bits for any number of threads', async (t) => {
  for (const n of [0, 1, 2, 31, 32, 33, 32767, 32768, 32769, 100000]) {
    const x = randomTensor([n], n + 1, -3, 3);
    const expected = onBackend({ name: 'oracle', backend: 'reference' }, 1, () => l2Norm(Tensor.from(Float64Array.from(x.data))));
    const natively = testBackends().filter(({ backend }) => backend !== 'reference');
    const norms = natively.flatMap((backend) => [1, 2, 4].map((threads) => onBackend(backend, threads, () => l2Norm(x))));
    t.ok(
      norms.every((norm) => Math.abs(norm - expected) <= 1e-7 * expected),
      `n = ${n}`,
    );
    t.equal(new Set(norms).size, 1, 'threads and instruction sets agree');
  }
});

t.test('squares neither overflow nor vanish; NaN and infinity show', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      t.equal(l2Norm(Tensor.from([3e30, 4e30])), Math.fround(Math.hypot(Math.fround(3e30), Math.fround(4e30))), backend.name);
      t.ok(l2Norm(Tensor.from([3e-30, 4e-30])) > 4.9e-30);
      t.equal(l2Norm(Tensor.from([1, -Infinity])), Infinity);
      t.ok(Number.isNaN(l2Norm(Tensor.from([1, Number.NaN, Infinity]))));
    });
  }
});
