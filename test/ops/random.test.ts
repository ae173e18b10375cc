import t from 'tap';
import { addNoise, randomNormal, randomUniform, Tensor } from '../../src/index.js';
import { philox } from '../../src/ops/philox.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError, sameBits } from '../support/near.js';
import { testOp } from '../support/spec.js';

t.test('Philox4x32-10 gives the published words (Random123 known answers)', async (t) => {
  t.same(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  t.same(philox([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  t.same(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

t.test('every backend and thread count draws the same numbers', async (t) => {
  for (const n of [0, 1, 63, 64, 65, 1000, 20000]) {
    const key = { seed: 4000000000, step: 3, stream: 9 };
    const [uniform, normal] = onBackend({ name: '', backend: 'reference' }, 1, () => [randomUniform([n], key), randomNormal([n], key)]) as [
      Tensor,
      Tensor,
    ];
    for (const backend of testBackends()) {
      for (const threads of [1, 2, 4]) {
        onBackend(backend, threads, () => {
          t.ok(sameBits(randomUniform([n], key).data, uniform.data), `uniform ${n} on ${backend.name}, ${threads} threads`);
          t.ok(relativeError(randomNormal([n], key).data, normal.data) < 1e-6, `normal ${n} on ${backend.name}`);
        });
      }
    }
  }
});

t.test('seed, step and stream each change the numbers', async (t) => {
  const base = randomUniform([64], { seed: 1, step: 1, stream: 1 }).data;
  for (const key of [
    { seed: 2, step: 1, stream: 1 },
    { seed: 1, step: 2, stream: 1 },
    { seed: 1, step: 1, stream: 2 },
  ]) {
    t.notOk(sameBits(base, randomUniform([64], key).data));
  }
});

t.test('moments', async (t) => {
  const n = 200_000;
  const moments = (data: ArrayLike<number>) => {
    const mean = Array.from(data).reduce((a, b) => a + b, 0) / n;
    return [mean, Array.from(data).reduce((a, b) => a + (b - mean) ** 2, 0) / n] as const;
  };
  const [um, uv] = moments(randomUniform([n], { seed: 5, step: 0 }).data);
  t.ok(Math.abs(um - 0.5) < 0.003 && Math.abs(uv - 1 / 12) < 0.002, `uniform: mean ${um}, variance ${uv}`);
  const [nm, nv] = moments(randomNormal([n], { seed: 5, step: 0 }).data);
  t.ok(Math.abs(nm) < 0.01 && Math.abs(nv - 1) < 0.02, `normal: mean ${nm}, variance ${nv}`);
});

t.test('noise is added, and gradients pass', async (t) => {
  testOp(t, [
    { name: 'addNoise', inputs: { x: Tensor.from([1, 2, 3]) }, run: ({ x }) => addNoise(x as Tensor, 0.5, { seed: 1, step: 2 }) },
  ]);
  t.throws(() => randomUniform([2], { seed: -1, step: 0 }), { code: 'UAM_ARGUMENT', message: /seed must be an integer/ });
  t.throws(() => randomUniform([2], { seed: 1.5, step: 0 }), { code: 'UAM_ARGUMENT' });
});
