import fc from 'fast-check';
import t from 'tap';
import { distanceTransform } from '../../src/cells/distance_transform.js';
import { onBackend } from '../support/backends.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };

t.test('the kernel is its definition, to the bit', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 40 }),
      fc.nat(),
      (width, height, zeros, seed) => {
        const mask = new Uint8Array(width * height).fill(3);
        for (let i = 0; i < zeros; i++) mask[(Math.imul(seed + i, 2654435761) >>> 3) % mask.length] = 0;
        const want = onBackend(reference, 1, () => distanceTransform(mask, width, height));
        for (const threads of [1, 3])
          t.same(
            onBackend(cpu, threads, () => distanceTransform(mask, width, height)),
            want,
          );
      },
    ),
    { numRuns: 300 },
  );
});

t.test('a point, nothing outside, nothing at all', async (t) => {
  const mask = new Uint8Array(500 * 400).fill(1);
  mask[123 * 500 + 77] = 0;
  const distance = distanceTransform(mask, 500, 400);
  for (const [x, y] of [
    [0, 0],
    [77, 124],
    [499, 399],
    [300, 123],
  ] as const) {
    // prettier-ignore
    t.equal(distance[y * 500 + x], Math.fround(Math.hypot(x - 77, y - 123)));
  }
  t.ok(distanceTransform(new Uint8Array(6).fill(1), 3, 2).every((value) => value === Infinity));
  t.equal(distanceTransform(new Uint8Array(0), 0, 7).length, 0);
  t.throws(() => distanceTransform(new Uint8Array(3), 2, 2), { code: 'UAM_SHAPE' });
});
